"""The batch job from plan to commit; read `run` from top to bottom.

Write, then mark: units, plan.json, then per finished unit its ledger segment, then report.html and
summary.json. All of it under the lease of the output. A run that died is resumed, see `translate.batch.resume`.
"""

from __future__ import annotations

import contextlib
import copy
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from translate.batch import conflicts, planning
from translate.batch.executor import open_executor
from translate.batch.meter import Meter
from translate.batch.notebook import Notebook, note_history
from translate.batch.planning import Plan
from translate.batch.report import Highlights, write_page
from translate.batch.resume import Rest, asked, find, read_begun
from translate.errors import InvariantError, TranslateError
from translate.progress import Progress, silent
from translate.provenance import PlanRecord, RunSummary, versions
from translate.records import layout, lease, manifest
from translate.records.fenced import FencedStore
from translate.records.holding import hold
from translate.records.ledger import Totals, write_segment
from translate.stores.contract import PutMode
from translate.stores.patience import PatientStore, bare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from translate.batch.executor import Executor
    from translate.batch.request import RunRequest
    from translate.batch.resume import Begun
    from translate.batch.worker import Task
    from translate.batch.workers import Workers
    from translate.engines.contract import Engine
    from translate.pages.run import Failure
    from translate.progress import Listener
    from translate.provenance import Work
    from translate.records.holding import Held
    from translate.records.lease import Seen
    from translate.records.ledger import Entry
    from translate.stores.contract import ObjectInfo, ObjectStore


@dataclass(frozen=True)
class Prepared:
    """A job with its model loaded and its plan made; nothing is written yet."""

    job: RunRequest
    task: Task
    engine: Engine
    plan: Plan
    seen: Seen | None = None
    """The lease of the output from before the planning; None if the plan is only to be looked at."""
    begun: Begun | None = None
    """The unfinished run that this job resumes; None for a new run."""
    why_engine: str = ""
    """Why this engine, in a line; empty where there was nothing to choose."""
    calibrated: bytes | None = None
    """Weights of the engine, to be put beside the plan."""

    @property
    def left(self) -> int:
        """How many images are still to be translated."""
        return self.plan.count - (self.begun.totals.count if self.begun else 0)

    @property
    def after_death(self) -> bool:
        """Whether this job resumes a run whose process died, which shows in its lease: it was not given back."""
        lease = self.seen.lease if self.seen else None
        return self.begun is not None and lease is not None and not lease.released

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to do: no image, nor the totals of a run that died before it wrote them."""
        return self.plan.count == 0


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    summary: RunSummary | None
    """None if it was stopped before all was done."""
    totals: Totals
    planned: int
    begun: Begun | None = None
    """What had been done before the resume; None for a new run."""
    failures: tuple[Failure, ...] = ()
    """The first images that failed."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """See `Highlights.unread`."""


def prepare(
    job: RunRequest, listener: Listener = silent, *, plan_only: bool = False, notebook: Notebook | None = None
) -> Prepared:
    """Load the model and find out what is to do: the rest of the run that the same job began and did not finish, else
    what is new or has changed.

    ``listener`` hears of long listings. ``notebook``: that of an earlier plan at this destination, whose run has ended,
    so that finished runs are not read again. With ``plan_only`` it does not matter who writes to the output, and the
    plan cannot be run. Raises `UsageError` and `WorkDigestError` as `translate.batch.planning` does, and if an
    unfinished run can't be resumed as it began; `LockedError` if another run writes to the output; `ModelError`;
    `StoreError`.
    """
    if job.same_place:
        conflicts.refuse_overlap(job.source, job.output)
    job = replace(job, source=PatientStore(job.source, known=False), output=PatientStore(job.output, known=False))
    seen = None if plan_only else lease.look(job.output)
    if job.selection.keys is None:  # else nothing is listed, and need not be allowed to
        next(job.source.list(), None)  # a bucket that is not there is said before the model is loaded
    notebook = notebook or Notebook()
    unfinished = find(job, notebook.finished_to)
    from translate.batch.resolve import resolve, resolve_as_planned  # loads torch, which takes seconds

    if unfinished is not None:
        task, engine = resolve_as_planned(job, unfinished)
        begun = read_begun(job.output, unfinished, listener)
        plan = Plan(Rest(job.output, unfinished.run).items, unfinished.considered)
        return Prepared(job, task, engine, plan, seen, begun)

    def past() -> Iterable[Work]:
        notebook.forget_plan()
        if job.overwrite in ("changed", "stale"):
            note_history(job.output, notebook, listener)
        return notebook.works.values()

    resolved = resolve(job, past)
    task = resolved.task
    if job.overwrite == "never" or notebook.has_past():
        notebook.note_outputs(_outputs(job.output, listener))
    plan = planning.make_plan(job.source, notebook, task.work, job.overwrite, job.selection, listener)
    if job.same_place:
        conflicts.refuse_replacing_sources(job.source, job.output, plan.items())
    return Prepared(
        job, task, resolved.engine, plan, seen, why_engine=resolved.why_engine, calibrated=resolved.calibrated
    )


def run(
    prepared: Prepared,
    executor: str,
    workers: Workers | int | None,
    listener: Listener,
    stopped: Callable[[], bool],
    meter: Meter | None = None,
) -> Ended:
    """Do what was planned (there must be something) and record it at the destination, as a new run or the one begun.

    ``stopped`` is asked between images; from then on nothing new is begun, and what is finished is recorded.
    ``meter`` hears of every image. A `StoreError` ends the run the same way and says how far it came. Raises
    `LockedError` if another run has written to the output since the plan was made, or takes over because this one
    stalled.
    """
    assert not prepared.is_empty, "a run with nothing to do is no run"
    chosen = open_executor(executor, workers, prepared.left, prepared.engine, after_death=prepared.after_death)
    prepared = _with_sizes(prepared, chosen)
    assert prepared.seen is not None, "prepared with plan_only"
    run_id = prepared.begun.record.run if prepared.begun else layout.new_run_id()
    meter = meter or Meter()
    with (
        meter.running(prepared.left, chosen),
        hold(PatientStore(prepared.job.output, stopped), run_id, prepared.seen, alone=chosen.name == "local") as held,
    ):
        if held is None:
            return _run(prepared, run_id, None, chosen, listener, stopped, meter)
        output = FencedStore(bare(prepared.job.output), held)
        fenced = replace(
            prepared, job=replace(prepared.job, output=output), task=replace(prepared.task, output=output)
        )
        return _run(fenced, run_id, held, chosen, listener, lambda: stopped() or held.lost, meter)


def _with_sizes(prepared: Prepared, executor: Executor) -> Prepared:
    """Workers on other machines get memory for ordinary pictures only, so there fewer are translated whole."""
    from translate.translation.core import LARGE_PIXELS  # loads torch, which takes seconds

    if executor.name == "local" or prepared.begun:
        return prepared
    sizes = prepared.task.sizes
    sizes = sizes.model_copy(update={"whole_px": min(sizes.whole_px, LARGE_PIXELS)})
    return replace(prepared, task=replace(prepared.task, sizes=sizes))


def _run(
    prepared: Prepared,
    run_id: str,
    held: Held | None,
    chosen: Executor,
    listener: Listener,
    stopped: Callable[[], bool],
    meter: Meter,
) -> Ended:
    prepared = replace(prepared, job=replace(prepared.job, output=PatientStore(prepared.job.output, stopped)))
    job, begun, planned = prepared.job, prepared.begun, prepared.plan.count
    record = begun.record if begun else _write_plan(prepared, run_id, held)
    totals, highlights = copy.deepcopy((begun.totals, begun.highlights)) if begun else (Totals(), Highlights())
    recorded = totals.count

    def say(words: str) -> None:
        failed = f"{totals.failed} failed" if totals.failed else ""
        listener(Progress(totals.count, planned, "images", "; ".join(filter(None, (failed, words)))))

    def report(entry: Entry) -> None:
        totals.add(entry)
        highlights.add(entry)
        meter.add(entry)
        say("")

    say("")
    start = time.perf_counter()
    rest = Rest(job.output, record.run)
    try:
        with contextlib.closing(chosen.run(prepared.task, iter(rest), report, stopped, say)) as finished:
            for unit, entries in finished:
                write_segment(job.output, record.run, *rest.whole(unit, entries))
                recorded += len(entries)
        if held is not None and held.lost:
            held.assure()  # says to whom
    except TranslateError as error:
        raise type(error)(
            f"{error}\n{recorded} of {planned} images are done and recorded; the others will be tried "
            "when the same command runs again"
        ) from error
    if recorded < planned:
        if not stopped():
            raise InvariantError(f"{planned} images were planned, but {recorded} are recorded")
        return Ended(None, totals, planned, begun)
    summary = _summary(prepared, record, held, chosen, totals, time.perf_counter() - start)
    _commit(summary, highlights, job)
    meter.succeed()
    return Ended(summary, totals, planned, begun, tuple(highlights.failures), highlights.unread)


def _outputs(store: ObjectStore, listener: Listener) -> Iterator[ObjectInfo]:
    listed = planning.counted(store.list(), "listing the output", listener)
    return (info for info in listed if not info.key.startswith(layout.RESERVED))


def _write_plan(prepared: Prepared, run_id: str, held: Held | None) -> PlanRecord:
    job, work = prepared.job, prepared.task.work
    if prepared.calibrated is not None:
        job.output.put(layout.calibrated_key(work.engine), prepared.calibrated, content_type="application/zip")
    units = manifest.write_units(job.output, run_id, manifest.cut(prepared.plan.items(), prepared.plan.count))
    record = PlanRecord(
        run=run_id,
        started=_now(),
        pipeline=job.pipeline,
        input_url=job.source.url,
        output_url=job.output.url,
        work=work,
        work_digest=work.digest,
        overwrite=job.overwrite,
        considered=prepared.plan.considered,
        units=units,
        fence=held.fence if held else None,
        asked=asked(job),
        sizes=prepared.task.sizes,
        versions=versions(),
    )
    manifest.write_plan(job.output, record)
    return record


def _summary(
    prepared: Prepared, record: PlanRecord, held: Held | None, executor: Executor, totals: Totals, seconds: float
) -> RunSummary:
    return RunSummary(
        run=record.run,
        started=record.started,
        finished=_now(),
        seconds=round(seconds, 3),
        pipeline=record.pipeline,
        input_url=record.input_url,
        output_url=record.output_url,
        report_url=f"{record.output_url.rstrip('/')}/{layout.report_key(record.run)}",
        executor=executor.name,
        workers=executor.workers,
        work=record.work,
        work_digest=record.work_digest,
        considered=record.considered,
        planned=prepared.plan.count,
        ok=totals.ok,
        ok_before=prepared.begun.totals.ok if prepared.begun else 0,
        failed=totals.failed,
        skipped=totals.skipped,
        codes=dict(sorted(totals.codes.items())),
        ms={stage: round(spent, 1) for stage, spent in totals.ms.items()},
        fence=held.fence if held else None,
        versions=record.versions,
    )


def _commit(summary: RunSummary, highlights: Highlights, job: RunRequest) -> None:
    if summary.ok + summary.failed + summary.skipped != summary.planned:
        raise InvariantError(f"the counts do not add up: {summary.ok} ok, {summary.failed} failed, {summary.skipped} "
                             f"skipped, {summary.planned} planned")
    job.output.put(
        layout.report_key(summary.run),
        write_page(summary, highlights, bare(job.source), bare(job.output)),
        content_type="text/html; charset=utf-8",
    )
    job.output.put(
        layout.summary_key(summary.run),
        summary.model_dump_json(indent=1).encode(),
        mode=PutMode.CREATE,
        content_type="application/json",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
