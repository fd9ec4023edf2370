"""Resuming a run that was killed or stopped: its plan, and what is not recorded yet.

A plan holds what was asked for, so the same command finds its own unfinished run; another command leaves it alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.batch.report import Highlights
from translate.errors import InvariantError
from translate.progress import Progress
from translate.provenance import Asked
from translate.records.history import read_ledger, read_plan, read_summary, run_names
from translate.records.ledger import Totals
from translate.records.manifest import Unit, read_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from translate.batch.request import RunRequest
    from translate.progress import Listener
    from translate.provenance import PlanRecord
    from translate.records.ledger import Entry
    from translate.records.manifest import Item
    from translate.stores.contract import ObjectStore


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is to be resumed, and what it has recorded so far."""

    record: PlanRecord
    totals: Totals
    highlights: Highlights


def asked(job: RunRequest) -> Asked:
    """What a job asks for, as its plan holds it."""
    selection = job.selection
    keys = None
    if selection.keys is not None:
        lines = "\n".join(sorted(set(selection.keys))).encode("utf-8", "surrogatepass")
        keys = "sha256:" + hashlib.sha256(lines).hexdigest()
    return Asked(
        model=job.model,
        device=job.device,
        engine=job.choice,
        settings=job.settings.model_dump(exclude={"fail_share"}, exclude_none=True),
        include=selection.include,
        exclude=selection.exclude,
        keys=keys,
        limit=selection.limit,
        sample=selection.sample,
    )


def find(job: RunRequest, after: str = "") -> PlanRecord | None:
    """The newest unfinished run at the destination, if the job asks for the same; else None.

    Runs up to ``after`` are known to be finished. Not where the store cannot lock: that run may be at work. Nor where
    a later run did other work: resuming would put older pictures in the place of newer ones.
    """
    later: set[str] = set()
    for run in reversed(list(run_names(job.output, after=after))):
        if (summary := read_summary(job.output, run)) is not None:
            later.add(summary.work_digest)
            continue
        if (record := read_plan(job.output, run)) is None:
            continue
        same = (record.pipeline, record.input_url, record.overwrite, record.asked) == (
            job.pipeline, job.source.url, job.overwrite, asked(job))
        return record if same and record.fence is not None and later <= {record.work_digest} else None
    return None


def read_begun(store: ObjectStore, record: PlanRecord, listener: Listener) -> Begun:
    """Count what is recorded of a run; some units are in memory at a time."""
    begun = Begun(record, Totals(), Highlights())
    for _, entries in read_ledger(store, record.run):
        for entry in entries:
            begun.totals.add(entry)
            begun.highlights.add(entry)
        listener(Progress(begun.totals.count, None, "outcomes", "reading what is recorded"))
    return begun


class Rest:
    """The units of a run without what is recorded of them; one after the other, never all in memory."""

    def __init__(self, store: ObjectStore, run: str) -> None:
        self._store, self._run = store, run
        self._parts: dict[int, tuple[Unit, list[Entry]]] = {}
        """Units that were begun and handed out: whole, with what was recorded before."""

    def __iter__(self) -> Iterator[Unit]:
        """Each unit that is not finished, with the items that have no outcome."""
        # Both are in the order of the units. What this run records itself meanwhile is of units that were handed out,
        # so it lies behind the place where the ledger is read.
        ledger = read_ledger(self._store, self._run)
        recorded = next(ledger, None)
        for unit in read_units(self._store, self._run):
            keys = {item.key for item in unit.items}
            if recorded is None or recorded[1][0].key not in keys:
                yield unit
                continue
            entries = recorded[1]
            done = {entry.key for entry in entries}
            if rest := tuple(item for item in unit.items if item.key not in done):
                self._parts[unit.number] = (unit, entries)
                yield Unit(unit.number, rest)
            recorded = next(ledger, None)
        if recorded is not None:
            raise InvariantError(f"run {self._run} recorded {recorded[1][0].key!r}, which was not planned")

    def items(self) -> Iterator[Item]:
        """The items without an outcome."""
        return (item for unit in self for item in unit.items)

    def whole(self, unit: Unit, entries: Sequence[Entry]) -> tuple[Unit, list[Entry]]:
        """A unit as it was planned, with all its entries, for one that was handed out and came back."""
        planned, before = self._parts.pop(unit.number, (unit, []))
        return planned, [*before, *entries]
