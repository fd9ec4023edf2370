"""Named faults, one at a time, and what people see of each, word for word.

    python -m tests.chaos.cases [--only NAME ...] [--report build/chaos-cases.md]

Ends 1 if one of them broke an invariant.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos import invariants
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.faults import Faults, Window
from tests.chaos.impatient import LEASE_S
from tests.chaos.killers import RECORDS, Kill, Killer, Poison
from tests.chaos.trial import Laboratory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.messages import Message
    from tests.chaos.program import Program

IMAGES = 60
TIMEOUT_S = 400.0
LONG_S = 3600.0
POISON_KEY = "b c/000007.jpg"


@dataclass
class Said:
    """One command of a case and its end."""

    who: str
    code: int | None
    stdout: str
    stderr: str
    seconds: float


@dataclass
class Case:
    """What was done to a run, what people saw, and what was left."""

    name: str
    done_to_it: str
    said: list[Said] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    """Code by source key, of those that did not end ok."""
    facts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def text(self) -> str:
        """As Markdown."""
        parts = [f"## {self.name.replace('_', ' ')}", self.done_to_it]
        for said in self.said:
            parts.append(f"**{said.who}: exit {said.code}** after {said.seconds:.0f} s")
            parts += [f"{name}:\n```\n{text.rstrip()}\n```" for name, text in
                      (("stdout", said.stdout), ("stderr", said.stderr)) if text.strip()]  # fmt: skip
        hit = [f"{count} {what}" for what, count in self.facts.items()]
        codes = [f"{key!r} ended {code}" for key, code in self.codes.items()]
        parts.append(f"Hit: {', '.join(hit) or 'nothing'}. Not translated: {', '.join(codes) or 'none'}.")
        parts.append("What held: " + ("; ".join(self.violations[:5]) or "every invariant") + ".")
        return "\n\n".join(parts) + "\n"


class Bench:
    """A laboratory's bucket for one case."""

    def __init__(self, lab: Laboratory, case: Case) -> None:
        self.lab, self.case = lab, case
        self.bucket = lab.server.make_bucket()

    @contextmanager
    def proxy(self, faults: Faults, *watchers: Callable[[Message, int], None]) -> Iterator[str]:
        """The endpoint URL of a proxy with faults."""
        with FaultProxy(self.lab.server.endpoint_url, faults) as proxy:
            proxy.watchers.extend(watchers)
            yield proxy.endpoint_url
            self.case.facts |= proxy.fate.counts()

    def program(self, endpoint_url: str, executor: str = "local") -> Program:
        """The command, to be entered."""
        return self.lab.command(self.bucket, endpoint_url, executor)

    def end(self, who: str, program: Program) -> None:
        """Wait for a command and keep what it said."""
        code = program.wait(TIMEOUT_S)
        self.case.said.append(
            Said(who, code, program.stdout, program.stderr, time.monotonic() - program.begun_s)
        )

    def go_on(self) -> None:
        """The same command once more, with nothing wrong."""
        with self.program(self.lab.server.endpoint_url) as program:
            self.end("the same command later", program)

    def finish(self, *, as_without_faults: bool = True) -> None:
        """Check the invariants."""
        found, after = self.lab.read(self.bucket), self.lab.read(self.lab.source_bucket)
        reference = self.lab.reference if as_without_faults else None
        self.case.violations = invariants.check(self.lab.source, after, found, reference)
        ends = invariants.expectations(found)
        self.case.codes = {key: end.code for key, end in ends.items() if end.outcome != "ok"}


def poison_on_ray(bench: Bench) -> None:
    """A worker is killed by SIGKILL whenever it has asked for one certain image: three die over it, then it is set
    aside and all others are done."""
    poison = Poison(POISON_KEY)
    with bench.proxy(Faults(), poison.watch) as url, bench.program(url, "ray") as program:
        poison.program = program
        bench.end("the run", program)
    bench.case.facts["workers killed"] = len(poison.victims)
    bench.finish(as_without_faults=False)


def two_runs_at_once(bench: Bench) -> None:
    """The same command twice at the same moment."""
    with bench.proxy(Faults()) as url, bench.program(url) as one, bench.program(url) as two:
        bench.end("one", one)
        bench.end("the other", two)
    bench.finish()


def lost_acknowledgement(bench: Bench) -> None:
    """The store does each of the conditional puts (lease, plan, summary), but its first answer never arrives."""
    faults = Faults(rates={"lost_ack": 1.0}, keys=rf"{RECORDS}(lease|runs/.*/(plan|summary))\.json$", first=1)
    with bench.proxy(faults) as url, bench.program(url) as program:
        bench.end("the run", program)
    bench.finish()


def conditions_stripped(bench: Bench) -> None:
    """The store takes If-None-Match and If-Match and heeds neither, as some do in silence."""
    with bench.proxy(Faults(careless=True)) as url, bench.program(url) as program:
        bench.end("the run", program)
    bench.finish()


def expired_credentials(bench: Bench) -> None:
    """From the middle of the run on every request is answered 403 ExpiredToken; later the same command again, with new
    credentials."""
    _refused(bench, "expired")


def skewed_clock(bench: Bench) -> None:
    """From the middle of the run on every request is answered 403 RequestTimeTooSkewed, with a Date one hour off; later
    the same command again, with the clock set."""
    _refused(bench, "skewed")


def _refused(bench: Bench, kind: str) -> None:
    with bench.proxy(Faults(windows=(Window(kind, IMAGES, LONG_S),))) as url, bench.program(url) as program:
        bench.end("the run", program)
    time.sleep(LEASE_S + 2)  # it was not let release its lease, and the store counts whole seconds
    bench.go_on()
    bench.finish()


def stalled_server(bench: Bench) -> None:
    """The server's process is stopped (SIGSTOP) for 15 s in the middle of the run: connections stay open, nobody
    answers."""
    server = bench.lab.server.process
    stopped = threading.Event()

    def stall(request: Message, _: int) -> None:
        if request.method == "PUT" and not request.key.startswith(RECORDS) and not stopped.is_set():
            stopped.set()
            server.send_signal(signal.SIGSTOP)
            threading.Timer(15.0, server.send_signal, (signal.SIGCONT,)).start()

    with bench.proxy(Faults(), stall) as url, bench.program(url) as program:
        bench.end("the run", program)
    bench.finish()


def sigterm(bench: Bench) -> None:
    """SIGTERM in the middle of the run, as a spot machine or Kubernetes sends it; later the same command again."""
    killer = Killer([Kill("terminate", IMAGES // 4)], bench.lab.server)
    with bench.proxy(Faults(), killer.watch) as url, bench.program(url) as program:
        killer.program = program
        bench.end("the run", program)
    bench.go_on()
    bench.finish()


CASES = (
    poison_on_ray, two_runs_at_once, lost_acknowledgement, conditions_stripped,
    expired_credentials, skewed_clock, stalled_server, sigterm,
)  # fmt: skip


def see(lab: Laboratory, play: Callable[[Bench], None]) -> Case:
    """Play one case in a laboratory."""
    case = Case(play.__name__, " ".join((play.__doc__ or "").split()))
    play(Bench(lab, case))
    return case


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[play.__name__ for play in CASES])
    parser.add_argument("--report", type=Path)
    asked = parser.parse_args()
    seen = []
    with Laboratory(IMAGES, TIMEOUT_S) as lab:
        for play in CASES:
            if not asked.only or play.__name__ in asked.only:
                seen.append(see(lab, play))
                print(seen[-1].text(), flush=True)
    if asked.report:
        asked.report.parent.mkdir(parents=True, exist_ok=True)
        asked.report.write_text("\n".join(["# What people see of each fault\n", *(case.text() for case in seen)]))
    return 1 if any(case.violations for case in seen) else 0


if __name__ == "__main__":
    sys.exit(main())
