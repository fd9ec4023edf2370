"""One seed: the same command again and again until it ends well, and then whether all is as it must be."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.chaos import invariants, pictures, schedule
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.killers import Killer
from tests.chaos.program import Program
from tests.jobs import publish_tiny
from tests.s3_server import S3Server

if TYPE_CHECKING:
    from tests.chaos.invariants import Expected, Found
    from tests.chaos.schedule import Schedule

MOST_STARTS = 25
LOCKED_PAUSE_S = 2.0
RAY_WORKERS = 2
_FAULTS_OF_OURS = ("Traceback", "fault of the program")


@dataclass
class Start:
    """One start of the command."""

    code: int | None
    """Exit code; negative: the signal that ended it; None: it hung and was killed by us."""
    seconds: float
    stderr: str


@dataclass
class Trial:
    """What a seed hit, and what came of it."""

    schedule: Schedule
    starts: list[Start] = field(default_factory=list)
    requests: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    """Requests hit by each kind."""
    faults_by_key: dict[str, dict[str, int]] = field(default_factory=dict)
    """Kinds by ``METHOD key``."""
    kills: list[str] = field(default_factory=list)
    """In the order in which they were done."""
    left_behind: list[str] = field(default_factory=list)
    """Helpers of Ray that outlived a start; killed by us."""
    tried_later: int = 0
    """Images that ended as a fault of the store and were done by a run after it."""
    outcomes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def line(self) -> str:
        """In one line, for people."""
        codes = " ".join("hung" if start.code is None else str(start.code) for start in self.starts)
        faults = " ".join(f"{kind}:{count}" for kind, count in self.faults.items()) or "none"
        kills = " ".join(self.kills) or "none"
        verdict = f"{len(self.violations)} VIOLATIONS" if self.violations else "sound"
        return (
            f"seed {self.schedule.seed} {self.schedule.executor}: {verdict}; {self.requests} requests, "
            f"faults {faults}; kills {kills}; exits {codes}; {self.seconds:.0f} s"
        )


class Laboratory:
    """``with Laboratory(images) as lab`` has a server, a source bucket, a model, and what comes out without faults."""

    def __init__(self, images: int, timeout_s: float = 600.0) -> None:
        """``timeout_s``: a start that takes longer hangs."""
        self.images, self._timeout_s = images, timeout_s
        self._server = S3Server()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tc-")  # short, because Ray puts sockets below it
        self._path = Path(self._folder.name)
        self.server = self._server.__enter__()
        try:
            self._registry = publish_tiny(self._path / "registry")
            self._fill_source()
            self.reference = self._make_reference()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()
        self._folder.cleanup()

    def command(self, bucket: str, endpoint_url: str, executor: str, *more: str) -> Program:
        """`translate run` from the source bucket to another; to be entered."""
        workers = ["--workers", str(RAY_WORKERS)] if executor == "ray" else []
        arguments = [
            "run", "--model", "tiny", "--registry", self._registry, "--executor", executor, *workers,
            "--input", f"s3://{self.source_bucket}/", "--output", f"s3://{bucket}/", "--endpoint-url", endpoint_url,
            *more,
        ]  # fmt: skip
        return Program(arguments, Path(tempfile.mkdtemp(dir=self._path)), ray_folder=self._path)

    def read(self, bucket: str) -> dict[str, Found]:
        """Everything in a bucket, past every proxy."""
        return pictures.read_all(self.server.client(), bucket)

    def try_seed(self, seed: int, executor: str | None = None) -> Trial:
        """Run a seed's schedule to its end and check what is left."""
        planned = schedule.make(seed, self.images, executor)
        trial = Trial(planned)
        begun_s = time.monotonic()
        bucket = self.server.make_bucket()
        with FaultProxy(self.server.endpoint_url, planned.faults) as proxy:
            killer = Killer(planned.kills, self.server, seed)
            proxy.watchers.append(killer.watch)
            self._run_until_done(trial, killer, bucket, proxy.endpoint_url)
            _keep(trial, proxy)
        trial.kills = [each.kind for each in killer.done]
        if not trial.violations:
            self._check(trial, bucket)
        self._source_must_be_whole(trial)
        self.server.client().delete_bucket(Bucket=bucket)
        trial.seconds = round(time.monotonic() - begun_s, 1)
        return trial

    def _run_until_done(self, trial: Trial, killer: Killer, bucket: str, endpoint_url: str) -> None:
        for _ in range(MOST_STARTS):
            with self.command(bucket, endpoint_url, trial.schedule.executor) as program:
                killer.program = program
                code = program.wait(self._timeout_s)
                killer.program = None
                trial.starts.append(Start(code, round(time.monotonic() - program.begun_s, 1), program.stderr))
                trial.violations += _judge(trial.starts[-1], killer)
                trial.violations += [f"a worker outlived the program: {p}" for p in program.wait_for_actors()]
                trial.left_behind += [process.command.split(" ")[0] for process in program.children()]
            killer.settle()
            if code == 0 or trial.violations:
                return
            if code == 5:
                time.sleep(LOCKED_PAUSE_S)
        trial.violations.append(f"not done after {MOST_STARTS} starts")

    def _check(self, trial: Trial, bucket: str) -> None:
        """The invariants, with the store well again."""
        executor = trial.schedule.executor
        before = self.read(bucket)
        trial.tried_later = len(invariants.unsettled(before))
        if trial.tried_later:
            with self.command(bucket, self.server.endpoint_url, executor) as program:
                program.wait(self._timeout_s)
            before = self.read(bucket)
        trial.violations += invariants.check(self.source, self.read(self.source_bucket), before, self.reference)
        uploads = self.server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        trial.violations += [f"half an upload is left: {each['Key']!r}" for each in uploads]
        trial.outcomes = dict(Counter(e.code or e.outcome for e in invariants.expectations(before).values()))
        with self.command(bucket, self.server.endpoint_url, executor) as program:
            code = program.wait(self._timeout_s)
            trial.violations += invariants.does_nothing(before, self.read(bucket), code, program.stdout)

    def _source_must_be_whole(self, trial: Trial) -> None:
        """A source that a seed has damaged must not spoil the seeds after it."""
        if any(each.startswith("the source") for each in trial.violations):
            self._fill_source()

    def _fill_source(self) -> None:
        self.source_bucket = self.server.make_bucket()
        pictures.put_all(self.server.client(), self.source_bucket, pictures.make(self.images))
        self.source = self.read(self.source_bucket)

    def _make_reference(self) -> dict[str, Expected]:
        bucket = self.server.make_bucket()
        with self.command(bucket, self.server.endpoint_url, "local") as program:
            code = program.wait(self._timeout_s)
            assert code == 0, f"a run without faults ended {code}:\n{program.stderr}"
        made = self.read(bucket)
        wrong = invariants.check(self.source, self.read(self.source_bucket), made)
        assert not wrong, f"a run without faults is broken: {wrong[:5]}"
        self.server.client().delete_bucket(Bucket=bucket)
        return invariants.expectations(made)


def _judge(start: Start, killer: Killer) -> list[str]:
    """Endings that nothing in the schedule explains."""
    kills = {each.kind for each in killer.done}
    if start.code is None:
        return [f"it hung: not over after {start.seconds:.0f} s"]
    explained = {0, 4, 5} | ({-9} if "driver" in kills else set()) | ({143} if "terminate" in kills else set())
    wrong = [] if start.code in explained else [f"exit {start.code}: {start.stderr.strip()[-300:]}"]
    return wrong + [f"{words!r} in what it said: {start.stderr[-300:]}" for words in _FAULTS_OF_OURS
                    if words in start.stderr]  # fmt: skip


def _keep(trial: Trial, proxy: FaultProxy) -> None:
    trial.requests, trial.faults = proxy.fate.requests, proxy.fate.counts()
    for hit in proxy.fate.hits:
        kinds = trial.faults_by_key.setdefault(f"{hit.method} {hit.key}", {})
        kinds[hit.kind] = kinds.get(hit.kind, 0) + 1
