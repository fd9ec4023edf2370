"""How far runs are, by their records alone; so it works while a run is at work, and from any machine.

A run that is killed can't say so. One without summary counts as running while it renews its lease; where the store
cannot lock, while its last record (its plan, or a finished unit) is young for the pace of its records so far.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from translate.errors import NotFoundError, UsageError
from translate.progress import Progress, silent
from translate.records import layout, lease
from translate.records.history import known_plan, read_ledger, read_plan, read_summary, run_names
from translate.records.ledger import Totals
from translate.stores import open_input, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.progress import Listener
    from translate.provenance import PlanRecord, RunSummary
    from translate.stores.contract import ObjectStore

State = Literal["running", "unfinished", "finished"]

CLOCKS_S = 60.0
"""By so much this machine's clock and the store's may differ: a lease is given so many seconds more before it counts as
expired. (Nothing is written here that would tell the store's time.)"""
QUIET_S = 300.0
"""Where there is no lease, a run that recorded nothing for so long is still taken for running: workers start, images
are large."""
QUIET_TIMES = 3
"""Or for so many times its second longest recent pause. (The longest may be a night between stop and resume.)"""
RECENT_UNITS = 32
"""The pace is that of the last so many units: a run that was resumed after a night is not slow."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far one run is."""

    state: State
    record: PlanRecord | RunSummary
    """The plan of the run, or, if it is finished, its totals."""
    planned: int
    totals: Totals
    """Totals of the recorded outcomes."""
    finished: str = ""
    """When the run finished: UTC, ISO 8601; empty if it is not finished."""
    recorded_s: float | None = None
    """When an outcome was last recorded, in seconds since 1970 by the store's clock. None if the run is finished, or
    the store does not tell."""
    images_per_second: float | None = None
    """Recent pace; of a finished run the average. None if unknown."""

    holder: str = ""
    """Who runs it: user, machine and process. Empty if the run is not running, or the store cannot lock."""
    heartbeat_s: float | None = None
    """When the holder renewed its lease, in seconds since 1970 by the store's clock; None without a holder."""
    dead_after_s: float | None = None
    """After so many seconds without renewal the run is taken for dead; None without a holder."""

    @property
    def open(self) -> int:
        """Images without a recorded outcome. Up to a unit per worker may be done and not recorded yet."""
        return self.planned - self.totals.count

    @property
    def seconds_left(self) -> float | None:
        """Time left at this pace, in seconds, while the run is running; None if unknown."""
        return self.open / self.images_per_second if self.state == "running" and self.images_per_second else None


def locate(url: str, endpoint_url: str | None = None) -> tuple[ObjectStore, str]:
    """The output, and the run's name there, of a run's URL or of a file in it; of an output's URL the name is
    empty.

    Reads nothing. Raises `UsageError` for a URL that cannot be one.
    """
    whole = open_store(url, endpoint_url=endpoint_url).url.removesuffix("/") + "/"
    output, found, rest = whole.rpartition("/" + layout.RUNS)
    place = output + "/" if found else whole
    return open_input(place, endpoint_url=endpoint_url), rest.partition("/")[0] if found else ""


def newest_run(store: ObjectStore) -> str:
    """The name of the newest run with a plan. Raises `UsageError` if there is none."""
    for run in reversed(list(run_names(store))):
        if read_plan(store, run) is not None:
            return run
    raise UsageError(f"no run has written to {store.url!r}: expected an output of `translate run` with its "
                     f"{layout.RESERVED} folder, or a run's URL in it")


def read_status(store: ObjectStore, run: str, listener: Listener = silent) -> Status:
    """How far a run is. Raises `UsageError` if there is no such run."""
    summary = read_summary(store, run)
    if summary is not None:
        return _finished(summary)
    record = known_plan(store, run)
    totals = Totals()
    paces: list[tuple[float, int]] = []
    for written_s, entries in read_ledger(store, run):
        for entry in entries:
            totals.add(entry)
        if written_s is not None:
            paces.append((written_s, len(entries)))
        listener(Progress(totals.count, record.considered.to_do, "images recorded"))
    try:
        planned_s = store.head(layout.plan_key(run)).modified_s
    except NotFoundError:
        raise UsageError(f"run {run!r} was removed from {store.url} meanwhile") from None
    if planned_s is not None:
        paces.append((planned_s, 0))
    paces.sort()
    held = _held(store, record)
    lives = _lives(paces) if held is None else held.lease is not None
    if not lives and (summary := read_summary(store, run)) is not None:  # it has ended while this was read
        return _finished(summary)
    holding = held.lease if held else None
    return Status("running" if lives else "unfinished", record, record.considered.to_do, totals,
                  recorded_s=paces[-1][0] if paces else None, images_per_second=_pace(paces),
                  holder=holding.holder if holding else "", heartbeat_s=held.modified_s if held else None,
                  dead_after_s=_dead_after_s(holding) if holding else None)


def read_all(store: ObjectStore, listener: Listener = silent) -> Iterator[Status]:
    """Status of every run of an output, oldest first; runs that never began are left out."""
    for count, run in enumerate(run_names(store), start=1):
        if read_plan(store, run) is not None:
            yield read_status(store, run)
        listener(Progress(count, None, "runs"))


def _finished(summary: RunSummary) -> Status:
    totals = Totals(summary.ok, summary.failed, summary.skipped, dict(summary.codes), dict(summary.ms))
    return Status("finished", summary, summary.planned, totals, summary.finished,
                  images_per_second=summary.images_per_second)


def _held(store: ObjectStore, record: PlanRecord) -> lease.Seen | None:
    """The lease of this run, if it is held; an empty one if it is not held any more; None if the run never had one."""
    if record.fence is None:
        return None
    seen = lease.read(store)
    if seen.lease is None or seen.lease.released or seen.lease.run != record.run or seen.modified_s is None:
        return lease.Seen()
    is_young = time.time() - seen.modified_s < _dead_after_s(seen.lease)
    return seen if is_young and not lease.holder_is_gone(seen.lease) else lease.Seen()


def _dead_after_s(held: lease.Lease) -> float:
    return held.expires_after_s + CLOCKS_S


def _lives(paces: list[tuple[float, int]]) -> bool:
    if not paces:
        return False
    times = [written_s for written_s, _ in paces[-RECENT_UNITS:]]
    silences = sorted(later - earlier for earlier, later in pairwise(times))
    usual = silences[-2:][0] if silences else 0.0
    return time.time() - times[-1] < max(QUIET_S, QUIET_TIMES * usual)


def _pace(paces: list[tuple[float, int]]) -> float | None:
    """Images per second between the first and the last of the recent records."""
    recent = paces[-RECENT_UNITS:]
    seconds = recent[-1][0] - recent[0][0] if recent else 0.0
    images = sum(count for _, count in recent[1:])
    return images / seconds if seconds > 0 and images else None
