"""The page of a run, written anew from its records; also of a run that is not finished."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from translate.batch.report import Highlights, render, samples_of
from translate.progress import Progress, silent
from translate.provenance import PlanRecord, RunSummary
from translate.records import layout
from translate.records.history import read_ledger, read_summary

if TYPE_CHECKING:
    from translate.inspection.status import Status
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore


def rewrite_page(status: Status, source: ObjectStore, output: ObjectStore, listener: Listener = silent) -> int:
    """Write the page of a run anew from what is recorded, finished or not; returns how many pictures it shows.

    Pictures that can't be had any more, or not from here, are left out.
    """
    highlights = Highlights()
    done = 0
    for _, entries in read_ledger(output, status.record.run):
        for entry in entries:
            highlights.add(entry)
        done += len(entries)
        listener(Progress(done, status.totals.count, "images"))
    samples = samples_of(highlights, source, output)
    page = render(_summary(status), highlights, samples)
    if not isinstance(status.record, RunSummary) and read_summary(output, status.record.run) is not None:
        return len(samples)  # it ended meanwhile, and wrote its own page
    output.put(layout.report_key(status.record.run), page, content_type="text/html; charset=utf-8")
    return len(samples)


def _summary(status: Status) -> RunSummary:
    """What an unfinished run has done so far, in the form of a summary that is never stored."""
    record, totals = status.record, status.totals
    if isinstance(record, RunSummary):
        return record
    started_s = datetime.fromisoformat(record.started).timestamp()
    return RunSummary(
        **record.model_dump(include=RunSummary.model_fields.keys() & PlanRecord.model_fields.keys()),
        finished="",
        seconds=max(0.0, (status.recorded_s or started_s) - started_s),
        report_url="",
        executor="",
        workers=0,
        planned=status.planned,
        ok=totals.ok,
        failed=totals.failed,
        skipped=totals.skipped,
        codes=totals.codes,
        ms=totals.ms,
    )
