"""`translate run` in a process of its own, started as people start it, and everything that it starts itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.s3_server import ENVIRONMENT, UNWANTED

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
OUTLIVE_S = 30.0
"""How long workers may outlive their driver."""
_LOOK_S = 1.0
_ACTOR = "ray::Actor"


@dataclass(frozen=True)
class Process:
    """A process as /proc shows it."""

    pid: int
    parent: int
    started: str
    """In clock ticks since the machine's start; with the pid it names a process for ever."""
    command: str


class Program:
    """``with Program(arguments, folder) as program`` runs `translate` with these arguments.

    What it says goes to files in ``folder``; `stdout`, `stderr` read them. At the end of the block it and its
    children are dead.
    """

    def __init__(self, arguments: Sequence[str], folder: Path, *, ray_folder: Path | None = None) -> None:
        self.arguments = list(arguments)
        self._folder = folder
        self._ray_folder = ray_folder
        self.begun_s = time.monotonic()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
        environment |= {**ENVIRONMENT, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        if self._ray_folder is not None:
            environment["RAY_TMPDIR"] = str(self._ray_folder)
        with (self._folder / "stdout").open("wb") as out, (self._folder / "stderr").open("wb") as err:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.impatient", *self.arguments],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip
        self._known: dict[int, Process] = {}
        self._lock = threading.Lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.family()
        self._popen.kill()
        self._popen.wait()
        for process in self.children():
            kill(process)

    @property
    def pid(self) -> int:
        """Of the driver."""
        return self._popen.pid

    @property
    def stdout(self) -> str:
        """What it has said so far."""
        return (self._folder / "stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """What it has complained of so far."""
        return (self._folder / "stderr").read_text(errors="replace")

    def wait(self, timeout_s: float) -> int | None:
        """The exit code (negative: the signal that ended it); None if it has not ended by then."""
        until = time.monotonic() + timeout_s
        while self.alive and time.monotonic() < until:
            self.family()  # remembers who is whose child, as long as that can be seen
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(min(_LOOK_S, max(0.0, until - time.monotonic())))
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to the driver alone; returns whether it was still there."""
        self.family()
        alive = self.alive
        self._popen.send_signal(number)
        return alive

    def family(self) -> list[Process]:
        """The driver and all that it started; who was seen once is remembered, also when its parent is gone."""
        with self._lock:
            return self._family()

    def _family(self) -> list[Process]:
        children: dict[int, list[Process]] = {}
        for process in processes():
            children.setdefault(process.parent, []).append(process)
        alive = {process.pid: process for group in children.values() for process in group}
        family: dict[int, Process] = {}
        unseen = [self._popen.pid, *self._known]
        while unseen:
            pid = unseen.pop()
            known = self._known.get(pid)
            if pid in family or pid not in alive or (known and known.started != alive[pid].started):
                continue
            family[pid] = self._known[pid] = alive[pid]
            unseen.extend(child.pid for child in children.get(pid, ()))
        return list(family.values())

    @property
    def alive(self) -> bool:
        """Whether the driver is."""
        return self._popen.poll() is None

    def actors(self) -> list[Process]:
        """Ray's workers that have an actor of ours in them, by pid."""
        return sorted((p for p in self.family() if p.command.startswith(_ACTOR)), key=lambda process: process.pid)

    def children(self) -> list[Process]:
        """What it started and is still there."""
        return [process for process in self.family() if process.pid != self.pid]

    def wait_for_actors(self, timeout_s: float = OUTLIVE_S) -> list[Process]:
        """After its end: the workers that are still there after a while, which might go on writing."""
        until = time.monotonic() + timeout_s
        while (left := self.actors()) and time.monotonic() < until:
            time.sleep(0.2)
        return left


def kill(process: Process) -> None:
    """SIGKILL; nothing if it is gone."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def processes() -> list[Process]:
    """Every living process of this machine."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                # pid (name) state parent ...; a name may hold anything, also brackets.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                found.append(Process(int(folder.name), int(fields[1]), fields[19], command))
    return found


def owner_of_port(port: int, candidates: Sequence[Process]) -> Process | None:
    """Which of these processes has the connection that goes out from a local port."""
    inode = None
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port:
            inode = fields[9]
            break
    for process in candidates:
        try:
            if any(str(link.readlink()) == f"socket:[{inode}]" for link in Path(f"/proc/{process.pid}/fd").iterdir()):
                return process
        except (FileNotFoundError, ProcessLookupError):
            continue
    return None
