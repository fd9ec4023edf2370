"""A command sent to a running Ray cluster through its Jobs API, and followed there.

The id of a job is made of the output that it writes to and the number of the attempt. Ray takes no id twice, so of any
number of submitters at once one sends the next attempt, and the others are told of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shlex
import shutil
import tempfile
import time
import uuid
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

import pipelines
import translate
from pipelines.cluster import refuse_silence
from translate.config import digest
from translate.errors import EXIT_TERMINATED, ClusterError, LockedError, UsageError
from translate.shipped import shipped_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")
DISTRIBUTION = "translate-images"
_ADDRESSES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Ray's client takes these for its address, whatever it is given."""
_LOGGERS = (
    "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging",
)
"""Tell of uploads and connections, on stderr."""
STOP_WAIT_S = 60
"""Ray kills a job that was stopped after 3 s; a run may take 45 s to record what is under way."""
PATIENCE_S = 120.0
"""A cluster that does not answer is asked again for so long."""
PAUSE_S = 2.0
NOT_YET = "try again later"
"""So a head answers that is up before its agent, which takes the jobs: nothing was done."""
QUIET_S = 60.0
"""After so long without a line the connection is made anew: it may have broken without anybody being told."""
_LOST = (OSError, RuntimeError, aiohttp.ClientError, TimeoutError)
"""What Ray's client raises if there is no answer, or none that it understands; those of `requests` are OSErrors."""


class RayCluster:
    """A `translate.batch.remote.Submitter`."""

    def __init__(self, address: str) -> None:
        """``address``: ``http://HEAD:8265``, that of the dashboard. Raises `UsageError` if no cluster answers there."""
        self._address = address.rstrip("/")
        if urlsplit(address).scheme not in ("http", "https"):
            raise UsageError(f"--address is that of the cluster's dashboard, such as http://HEAD:8265; got {address!r}")
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            refuse_silence(address)
            with _without(_ADDRESSES):
                self._client = JobSubmissionClient(self._address)
        except (OSError, RuntimeError, ValueError, KeyError, AuthenticationError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise UsageError(
                f"no Ray cluster takes jobs at {address}: {reason}. Give the address of its dashboard, which "
                "ray[default] on the head starts, at port 8265 unless told otherwise"
            ) from error

    def submit(
        self, command: Sequence[str], *, output: str, files: Sequence[str], environment: Mapping[str, str]
    ) -> str:
        """As the contract says."""
        name = f"translate-{digest(output).removeprefix('sha256:')[:12]}-"
        job, token = f"{name}{1 + self._last_attempt(name)}", uuid.uuid4().hex
        with tempfile.TemporaryDirectory(prefix="translate-submit-") as folder:
            _lay_out(Path(folder), files)
            try:
                self._asked(lambda: self._client.submit_job(
                    submission_id=job,
                    entrypoint="exec " + shlex.join(["python", "-m", "translate", *command]),
                    runtime_env={
                        "working_dir": folder,
                        "env_vars": {**environment, "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S)},
                    },
                    metadata={"output": output, "token": token},
                ))
            except ClusterError as error:
                if "already exists" not in str(error):
                    raise
                self._refuse_unless_ours(job, token)
        return job

    def _last_attempt(self, name: str) -> int:
        """Number of the newest job of this name, 0 without any. Raises `LockedError` if one has not ended."""
        numbers = [int(found[1]) for each in self._asked(self._client.list_jobs)
                   if (found := re.fullmatch(rf"{name}(\d+)", each.submission_id or ""))]
        for number in sorted(numbers, reverse=True):
            self._refuse_if_at_work(f"{name}{number}")
        return max(numbers, default=0)

    def _refuse_if_at_work(self, job: str) -> None:
        details = self._asked(lambda: self._client.get_job_info(job))
        if not details.status.is_terminal():
            since = datetime.fromtimestamp((details.start_time or 0) / 1000, UTC)
            raise LockedError(
                f"job {job} is at this output already: {details.status.value.lower()} since {since:%Y-%m-%d %H:%M} "
                f"UTC. Its log: ray job logs --follow --address {self._address} {job}. To stop it: ray job stop "
                f"--address {self._address} {job}"
            )

    def _refuse_unless_ours(self, job: str, token: str) -> None:
        """Raise `LockedError` unless the id was taken by our own submission, whose acknowledgement was lost."""
        details = self._asked(lambda: self._client.get_job_info(job))
        if (details.metadata or {}).get("token") != token:
            self._refuse_if_at_work(job)
            raise LockedError(f"job {job} was sent by somebody else at the same time, and has ended; submit again")

    def follow(self, job: str, show: Callable[[str], None]) -> int:
        """As the contract says. A job that was killed ends with 128 and the signal's number, as in a shell."""
        log, had_ended = _Log(show), False
        while True:
            is_whole = False
            with contextlib.suppress(*_LOST):  # what became of the job is asked next, with patience
                asyncio.run(self._tail(job, log))
                is_whole = True
            details = self._asked(lambda: self._client.get_job_info(job))
            if details.status.is_terminal() and (is_whole or had_ended):
                break
            had_ended = details.status.is_terminal()  # its last lines may not have come: they are asked for once more
            time.sleep(PAUSE_S)
        log.close()
        code = details.driver_exit_code
        if code is not None:
            return int(code) if code >= 0 else 128 - int(code)
        if details.status == "STOPPED":
            return EXIT_TERMINATED
        reason = " ".join((details.message or "it says nothing of why").split())
        raise ClusterError(f"job {job} {details.status.value.lower()} without an exit code: {reason}")

    async def _tail(self, job: str, log: _Log) -> None:
        """Hand on a log from its first line, until its end or a silence."""
        log.begin()
        lines = self._client.tail_job_logs(job)
        while True:
            try:
                log.add(await asyncio.wait_for(anext(lines), QUIET_S))
            except StopAsyncIteration:
                return

    def _asked(self, ask: Callable[[], T]) -> T:
        """An answer of the cluster, with patience while there is none."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except (OSError, RuntimeError, AuthenticationError) as error:
                reason = " ".join(str(error).split()).rstrip(".")
                if not isinstance(error, OSError) and NOT_YET not in reason:
                    raise ClusterError(f"the cluster at {self._address} refused: {reason}") from error
                if time.monotonic() > until_s:
                    raise ClusterError(
                        f"the cluster at {self._address} has not answered for {PATIENCE_S:.0f} s: {reason}. What runs "
                        "there may go on without it being seen"
                    ) from error
                time.sleep(PAUSE_S)


class _Log:
    """Puts lines together from a log that comes in pieces, and again from its beginning after a broken connection."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._passed = self._shown = 0
        """Characters of this reading and of the longest one."""
        self._line = ""

    def begin(self) -> None:
        """The next piece is the first one."""
        self._passed = 0

    def add(self, piece: str) -> None:
        """Show what of a piece was not shown yet, as far as lines are whole."""
        new = piece[max(0, self._shown - self._passed):]
        self._passed += len(piece)
        self._shown = max(self._shown, self._passed)
        *whole, self._line = (self._line + new).split("\n")
        for line in whole:
            self._show(line)

    def close(self) -> None:
        """Show the last line, if it has no end."""
        if self._line:
            self._show(self._line)


def _lay_out(folder: Path, files: Sequence[str]) -> None:
    """Make a folder in which Python finds this program as if it were installed, and the user's files."""
    skip = shutil.ignore_patterns("__pycache__")
    for package in (translate, pipelines):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, folder / source.name, ignore=skip)
    shutil.copytree(shipped_folder("configs"), folder / "translate/shipped/configs", dirs_exist_ok=True)
    known = distribution(DISTRIBUTION)
    info = folder / f"{DISTRIBUTION.replace('-', '_')}-{translate.__version__}.dist-info"
    info.mkdir()
    for name in ("METADATA", "entry_points.txt"):  # by which executors are found
        (info / name).write_text(known.read_text(name) or "", encoding="utf-8")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file)


@contextlib.contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    kept: dict[str, Any] = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
