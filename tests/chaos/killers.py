"""Kills workers, drivers and servers at moments that a seed has chosen.

A moment is a number of outputs that were put, not a time: it falls on the same part of the work on a fast machine and
on a slow one. The kill comes while the put waits for its answer, so that the victim never hears of it.
"""

from __future__ import annotations

import random
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.program import Process, kill, owner_of_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.messages import Message
    from tests.chaos.program import Program
    from tests.s3_server import S3Server

RECORDS = "_translate/"
KINDS = ("actor", "driver", "terminate", "server")


@dataclass(frozen=True)
class Kill:
    """One kill of a schedule."""

    kind: str
    """``actor``, ``driver``: SIGKILL. ``terminate``: SIGTERM to the driver. ``server``: SIGKILL, and a new start."""
    after_puts: int
    """Outputs put in all runs so far, also those that were put twice."""


class Killer:
    """Watches a proxy's requests and does a schedule's kills on the program that runs at the moment."""

    def __init__(self, kills: Sequence[Kill], server: S3Server, seed: int = 0) -> None:
        self.due = sorted(kills, key=lambda each: each.after_puts)
        self.done: list[Kill] = []
        self.program: Program | None = None
        """Set this whenever one is started, and to None when it has ended."""
        self._server = server
        self._chance = random.Random(f"{seed}/victims")
        self._puts = 0
        self._lock = threading.Lock()
        self._restart: threading.Thread | None = None

    def watch(self, request: Message, port: int) -> None:
        """For `FaultProxy.watchers`."""
        del port
        if request.method != "PUT" or not request.key or RECORDS in request.key:
            return
        with self._lock:
            self._puts += 1
            for each in [each for each in self.due if each.after_puts <= self._puts]:
                if self._kill(each.kind):
                    self.due.remove(each)
                    self.done.append(each)

    def settle(self) -> None:
        """Wait until a server that was killed works again."""
        if self._restart is not None:
            self._restart.join()

    def _kill(self, kind: str) -> bool:
        """Whether there was somebody to kill."""
        if kind == "server":
            if self._restart is not None and self._restart.is_alive():
                return False
            self._restart = threading.Thread(target=self._server.restart, name="restart")
            self._restart.start()
            return True
        if self.program is None or not self.program.alive:
            return False
        if kind == "actor":
            actors = self.program.actors()
            if actors:
                kill(self._chance.choice(actors))
            return bool(actors)
        return self.program.signal(signal.SIGKILL if kind == "driver" else signal.SIGTERM)


class Poison:
    """An image that kills whoever gets it: the process that asked for its key dies before it has an answer."""

    def __init__(self, key: str) -> None:
        """``key`` as it stands in the bucket."""
        self._key = key
        self.victims: list[Process] = []
        self.program: Program | None = None
        """Set this when it is started."""

    def watch(self, request: Message, port: int) -> None:
        """For `FaultProxy.watchers`."""
        if request.method == "GET" and request.key == self._key and self.program is not None:
            victim = owner_of_port(port, self.program.actors())
            if victim is not None:
                self.victims.append(victim)
                kill(victim)
