"""The batch job from plan to commit; read `run` from top to bottom.

Write, then mark: units, plan.json, then per finished unit its ledger segment, then report.html and
summary.json. All of it under the lease of the output.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from translate.batch import history, layout, lease, manifest, planning
from translate.batch.executor import open_executor
from translate.batch.holding import FencedStore, hold
from translate.batch.ledger import Totals, write_segment
from translate.batch.report import Highlights, write_page
from translate.batch.worker import Task
from translate.errors import LockedError, StoreError
from translate.images.mark import VERSION as MARK_VERSION
from translate.images.picture import Limits
from translate.progress import Progress, silent
from translate.provenance import PlanRecord, RunSummary, Work, versions
from translate.stores.contract import PutMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from translate.batch.executor import Executor
    from translate.batch.holding import Held
    from translate.batch.lease import Seen
    from translate.batch.ledger import Entry
    from translate.batch.planning import Overwrite, Plan, Selection
    from translate.config import Run
    from translate.engines.torch import Device, Engine
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore


@dataclass(frozen=True)
class Job:
    """What was asked for."""

    pipeline: str
    """Name; empty for a model run by itself."""
    source: ObjectStore
    output: ObjectStore
    model: str
    """Whatever names a model, see `translate.registry.open_model`."""
    settings: Run
    selection: Selection
    overwrite: Overwrite = "changed"
    registry_url: str | None = None
    device: Device = "auto"
    same_place: bool = True
    """Whether equal URLs of both stores mean the same place (not so at two S3 endpoints)."""


@dataclass(frozen=True)
class Prepared:
    """A job with its model loaded and its plan made; nothing is written yet."""

    job: Job
    task: Task
    engine: Engine
    plan: Plan
    seen: Seen | None = None
    """The lease of the output from before the planning; None if the plan is only to be looked at."""


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    summary: RunSummary | None
    """None if it was stopped before all was done."""
    totals: Totals
    planned: int


def prepare(job: Job, listener: Listener = silent, *, plan_only: bool = False) -> Prepared:
    """Load the model and find out what is to do.

    ``listener`` hears of long listings. With ``plan_only`` it does not matter who writes to the output, and the
    plan cannot be run. Raises `UsageError` and `WorkDigestError` as `translate.batch.planning` does,
    `LockedError` if another run writes to the output, `ModelError`, `StoreError`.
    """
    if job.same_place:
        planning.refuse_overlap(job.source, job.output)
    seen = None if plan_only else lease.look(job.output)
    task, engine = _resolve(job)
    outputs = set() if job.overwrite == "always" else _outputs(job.output, listener)
    known = history.read_history(job.output)
    plan = planning.make_plan(job.source, outputs, known, task.work, job.overwrite, job.selection, listener)
    if job.same_place:
        planning.refuse_replacing_sources(job.source, job.output, plan.items)
    return Prepared(job, task, engine, plan, seen)


def run(
    prepared: Prepared, executor: str, workers: int | None, listener: Listener, stopped: Callable[[], bool]
) -> Ended:
    """Do what was planned (there must be something) and record it under a new run at the destination.

    ``stopped`` is asked between images; from then on nothing new is begun, and what is finished is recorded.
    A `StoreError` ends the run the same way and says how far it came. Raises `LockedError` if another run has
    written to the output since the plan was made, or takes over because this one stalled.
    """
    items = prepared.plan.items
    assert items, "a run with nothing to do is no run"
    assert prepared.seen is not None, "prepared with plan_only"
    chosen = open_executor(executor, workers, len(items), prepared.engine)
    run_id = layout.new_run_id()
    with hold(prepared.job.output, run_id, prepared.seen) as held:
        if held is None:
            return _run(prepared, run_id, None, chosen, listener, stopped)
        output = FencedStore(prepared.job.output, held)
        fenced = replace(
            prepared, job=replace(prepared.job, output=output), task=replace(prepared.task, output=output)
        )
        return _run(fenced, run_id, held, chosen, listener, lambda: stopped() or held.lost)


def _run(
    prepared: Prepared,
    run_id: str,
    held: Held | None,
    chosen: Executor,
    listener: Listener,
    stopped: Callable[[], bool],
) -> Ended:
    job, items = prepared.job, prepared.plan.items
    record = _write_plan(prepared, run_id, held)
    totals, highlights = Totals(), Highlights()

    def say(words: str) -> None:
        failed = f"{totals.failed} failed" if totals.failed else ""
        listener(Progress(totals.count, len(items), "images", "; ".join(filter(None, (failed, words)))))

    def report(entry: Entry) -> None:
        totals.add(entry)
        highlights.add(entry)
        say("")

    say("")
    start = time.perf_counter()
    recorded = 0
    try:
        units = manifest.read_units(job.output, record.run)
        with contextlib.closing(chosen.run(prepared.task, units, report, stopped, say)) as finished:
            for unit, entries in finished:
                write_segment(job.output, record.run, unit, entries)
                recorded += len(entries)
        if held is not None:
            held.assure()
    except (StoreError, LockedError) as error:
        raise type(error)(
            f"{error}\n{recorded} of {len(items)} images are done and recorded; the others will be tried "
            "when the same command runs again"
        ) from error
    if recorded < len(items):
        assert stopped(), f"{len(items)} images were planned, but {recorded} recorded"
        return Ended(None, totals, len(items))
    summary = _summary(prepared, record, chosen, totals, time.perf_counter() - start)
    _commit(summary, highlights, job)
    return Ended(summary, totals, len(items))


def _resolve(job: Job) -> tuple[Task, Engine]:
    """Load the model; the task names exactly this version, engine and precision for every worker.

    Places are made absolute: a worker has its own working folder and environment.
    """
    from translate.engines.torch import Engine
    from translate.models.foreign import SUFFIXES
    from translate.registry import ModelRegistry, open_model
    from translate.stores import open_store

    translator = open_model(job.model, job.registry_url)
    # The reference's test script computes in float32, on the processor.
    compat = job.settings.pixels == "compat"
    engine = Engine(translator, device="cpu" if compat else job.device, precision="float32" if compat else "auto")
    path = os.sep in job.model or job.model.endswith(SUFFIXES)
    reference = job.model if path else translator.facts.reference
    settings = job.settings
    work = Work(
        model=reference,
        model_digest=translator.facts.digest,
        size=settings.size,
        format=settings.format,
        quality=settings.quality,
        pixels=settings.pixels,
        engine=engine.name,
        mark=MARK_VERSION,
    )
    task = Task(
        source=job.source,
        output=job.output,
        model=os.path.abspath(reference) if path and "://" not in reference else reference,  # noqa: PTH100
        registry_url=open_store(ModelRegistry(job.registry_url).url).url,
        device="cpu" if compat else job.device,
        work=work,
        replace_existing=job.overwrite != "never",
        limits=Limits(max_pixels=int(settings.max_megapixels * 1_000_000)),
        frames=settings.frames,
    )
    return task, engine


def _outputs(store: ObjectStore, listener: Listener) -> set[str]:
    listed = planning.counted(store.list(), "listing the output", listener)
    return {info.key for info in listed if not info.key.startswith(layout.RESERVED)}


def _write_plan(prepared: Prepared, run_id: str, held: Held | None) -> PlanRecord:
    job, work = prepared.job, prepared.task.work
    units = manifest.write_units(job.output, run_id, manifest.cut(prepared.plan.items))
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
        versions=versions(),
    )
    manifest.write_plan(job.output, record)
    return record


def _summary(prepared: Prepared, record: PlanRecord, executor: Executor, totals: Totals, seconds: float) -> RunSummary:
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
        planned=len(prepared.plan.items),
        ok=totals.ok,
        failed=totals.failed,
        skipped=totals.skipped,
        codes=dict(sorted(totals.codes.items())),
        ms={stage: round(spent, 1) for stage, spent in totals.ms.items()},
        fence=record.fence,
        versions=record.versions,
    )


def _commit(summary: RunSummary, highlights: Highlights, job: Job) -> None:
    assert summary.ok + summary.failed + summary.skipped == summary.planned, "the counts do not add up"
    job.output.put(
        layout.report_key(summary.run),
        write_page(summary, highlights, job.source, job.output),
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
