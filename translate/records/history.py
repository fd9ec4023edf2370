"""What earlier runs at a destination have done: read from their ledgers, without a request per output.

Every recorded outcome counts, also of a run that did not end. Some units are in memory at a time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from translate.errors import NotFoundError, UsageError
from translate.provenance import PlanRecord, RunSummary
from translate.records import layout
from translate.records.ledger import from_lines, merge
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from translate.records.ledger import Entry
    from translate.stores.contract import ObjectInfo, ObjectStore

T = TypeVar("T")

READS_AT_ONCE = 16
"""How many records are read at the same time."""


def read_runs(store: ObjectStore) -> Iterator[PlanRecord]:
    """The plans of all runs at a destination, oldest first; `read_ledger` gives their outcomes.

    A run without ``plan.json`` never began, and is left out.
    """
    for run in run_names(store):
        record = read_plan(store, run)
        if record is not None:
            yield record


def run_names(store: ObjectStore, *, after: str = "") -> Iterator[str]:
    """Names of the runs at a destination, oldest first, also of those that never began. One request for each run.

    ``after``: the name of a run; only later runs are listed.
    """

    def behind(run: str) -> str:
        return f"{layout.RUNS}{run}0"  # "0" is what comes after "/"

    start = behind(after) if after else ""
    while (info := next(store.list(layout.RUNS, start_after=start), None)) is not None:
        run = info.key[len(layout.RUNS) :].partition("/")[0]
        yield run
        start = behind(run)


def read_plan(store: ObjectStore, run: str) -> PlanRecord | None:
    """The plan of a run; None if there is no such run, or it never began."""
    try:
        return _read(store, layout.plan_key(run), PlanRecord.model_validate_json)
    except NotFoundError:
        return None


def known_plan(store: ObjectStore, run: str) -> PlanRecord:
    """The plan of a run. Raises `UsageError` if there is no such run, or it never began."""
    record = read_plan(store, run)
    if record is None:
        raise UsageError(f"there is no run {run!r} in {store.url}, or it never began; "
                         f"`translate status --all {store.url}` lists the runs")
    return record


def read_summary(store: ObjectStore, run: str) -> RunSummary | None:
    """The totals of a run; None if there is no such run, or it is not finished."""
    try:
        return _read(store, layout.summary_key(run), RunSummary.model_validate_json)
    except NotFoundError:
        return None


def read_ledger(store: ObjectStore, run: str) -> Iterator[tuple[float | None, list[Entry]]]:
    """The outcomes of a run unit by unit, in order, and when each was recorded (`ObjectInfo.modified_s`).

    Some units are in memory at a time.
    """

    def read(infos: list[ObjectInfo]) -> tuple[float | None, list[Entry]]:
        entries = merge(_read(store, info.key, _entries) for info in infos)
        times = [info.modified_s for info in infos if info.modified_s is not None]
        return max(times, default=None), list(entries.values())

    segments = store.list(layout.run_prefix(run) + "ledger/")
    # The parts of a unit stand beside each other.
    units = (list(infos) for _, infos in groupby(segments, lambda info: info.key.rpartition("/")[2].partition(".")[0]))
    with ThreadPoolExecutor(READS_AT_ONCE, "read") as threads:
        while batch := list(islice(units, 4 * READS_AT_ONCE)):
            yield from threads.map(read, batch)


def read_summaries(store: ObjectStore) -> Iterator[RunSummary]:
    """The totals of every finished run, newest first."""
    for run in reversed(list(run_names(store))):
        summary = read_summary(store, run)
        if summary is not None:
            yield summary


def is_finished(store: ObjectStore, run: str) -> bool:
    """Whether a run is finished; if not, there may be outputs that it did not record."""
    try:
        store.head(layout.summary_key(run))
    except NotFoundError:
        return False
    return True


def _entries(data: bytes) -> list[Entry]:
    return list(from_lines(data))


def _read(store: ObjectStore, key: str, parse: Callable[[bytes], T]) -> T:
    """One record; `UsageError` if it was damaged, or written by a version that means something else by it."""
    try:
        return parse(read_record(store, key).data)
    except (ValueError, TypeError) as error:
        run = key[len(layout.RUNS) :].partition("/")[0]
        raise UsageError(
            f"{key!r} in {store.url} cannot be read: it was damaged, or written by a newer version "
            f"({str(error).splitlines()[0]}). Update, choose another --output, or remove {layout.run_prefix(run)} "
            "(then what that run did is done again)"
        ) from error
