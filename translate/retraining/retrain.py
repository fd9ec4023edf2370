"""One retraining, from the listing to the promotion: each step is done once, however often the command is given.

The steps commit a document each (`translate.retraining.journal`); whoever finds it continues with the next step. Two at
once are kept apart by the lease that runs have, too (`translate.records.lease`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from translate.errors import (
    ConfigError,
    DataError,
    ModelError,
    NoWorkersError,
    TrainingError,
    UsageError,
    WorkersDiedError,
)
from translate.progress import silent
from translate.records import lease as leases
from translate.records.fenced import FencedStore
from translate.records.holding import hold
from translate.records.layout import new_run_id
from translate.registry import ModelRegistry
from translate.retraining import steps
from translate.retraining.due import is_due
from translate.retraining.gate import check_margins
from translate.retraining.journal import Begun, Done, EvaluatedModels, Journal, TrainedModels, Verdicts, place
from translate.retraining.page import page_key, write_page
from translate.retraining.snapshot import take_snapshot
from translate.retraining.steps import UnderWay
from translate.stores import open_input, open_output
from translate.stores.patience import PatientStore
from translate.training.group import check_divides
from translate.training.workers import find_train, refuse_gpu

if TYPE_CHECKING:
    from translate.config import Pipeline, Training
    from translate.progress import Listener
    from translate.retraining.due import Due
    from translate.retraining.snapshot import Difference, Snapshot
    from translate.training.networks import Device


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call of `retrain` came to."""

    state: Literal["not_due", "planned", "promoted", "kept"]
    """``planned``: only looked at. ``kept``: a retraining ended, and no champion was replaced."""
    words: tuple[str, ...]
    """Why, a sentence each."""
    retraining: str | None
    """Its id; None if none has begun."""
    due: Due | None
    """None if an unfinished retraining was resumed: that is always due."""
    page_url: str | None
    """Where the page lies, once it is written."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done now."""

    id: str
    unfinished: Begun | None
    snapshot: Snapshot | None = None
    difference: Difference | None = None
    due: Due | None = None


def retrain(
    pipeline: Pipeline,
    *,
    data: str,
    registry: str | None,
    output: str,
    images: int | None = None,
    if_due: bool = False,
    dry_run: bool = False,
    workers: int | None = None,
    device: Device = "auto",
    now: datetime | None = None,
    on_progress: Listener = silent,
) -> Outcome:
    """Resume the retraining that has not ended under ``output``; else begin one, with ``if_due`` only if it is due.

    ``data``, ``registry``, ``output``: folders or URLs; ``registry`` None: as for `ModelRegistry`. ``pipeline``: as
    `resolve_training` gives it. ``images``: length of the training, in place of the pipeline's. ``dry_run`` writes
    nothing. ``workers`` on Ray divide each batch among them; None: this process trains, on ``device``. ``now``: the
    time that is due is judged by, UTC.

    The model is that of ``pipeline.model``, else it is called as the pipeline. Raises `ConfigError`, `DataError`,
    `ModelError`, `UsageError`; `LockedError` if another retraining is at work there; `TrainingError` if the training
    gave up; `StoreError`, `ClusterError`. After the first four and `TrainingError` the retraining has ended, unless
    they came before it was resumed; after others, among them `NoWorkersError` and `WorkersDiedError`, and after any
    kill, the same call resumes it.
    """
    pipeline = _with_length(pipeline, images)
    check_margins(pipeline.retraining.gate)
    refuse_gpu(workers, device)
    now = now or datetime.now(UTC)
    store = PatientStore(open_output(output), known=False)
    seen = leases.read(store) if dry_run else leases.look(store)
    plan = _plan(Journal(store), pipeline, data, now)
    if plan.due is not None and if_due and not plan.due.due:
        return Outcome("not_due", (plan.due.words,), None, plan.due, None)
    if dry_run:
        if plan.snapshot is not None:
            steps.check_images(pipeline, plan.snapshot, PatientStore(open_input(data), known=False))
        return Outcome("planned", _told(plan, pipeline), None, plan.due, None)
    train = find_train(workers, device)
    if plan.unfinished is None or Journal(store).read(plan.id, TrainedModels) is None:
        check_divides(_training(plan, pipeline).batch, workers or 1)
    with hold(store, plan.id, seen, alone=workers is None) as held:
        journal = Journal(store if held is None else FencedStore(store, held))
        models = ModelRegistry(registry)
        begun = plan.unfinished or _begin(journal, models, pipeline, plan, data, now)
        folder = open_output(f"{output.rstrip('/')}/{place(begun.retraining, 'training')}/")
        work = UnderWay(begun, journal, models, folder if held is None else FencedStore(folder, held), train,
                        on_progress)
        done = _go_on(work)
    state: Literal["promoted", "kept"] = "promoted" if done.promoted else "kept"
    page = f"{output.rstrip('/')}/{page_key(begun.retraining)}"
    return Outcome(state, done.words, begun.retraining, plan.due, page)


def _begin(
    journal: Journal, models: ModelRegistry, pipeline: Pipeline, plan: _Plan, data: str, now: datetime
) -> Begun:
    assert plan.snapshot is not None
    assert plan.due is not None
    return steps.begin(journal, models, pipeline, plan.snapshot, plan.difference, retraining=plan.id, began=now,
                       data_url=data, why=plan.due.words)


def _go_on(work: UnderWay) -> Done:
    """The steps that are left. What cannot be done, however often it is tried, ends the retraining."""
    journal, retraining = work.journal, work.begun.retraining
    done: Done | None = None
    try:
        trained = journal.read(retraining, TrainedModels)
        if trained is None:
            trained = journal.commit(retraining, steps.train_challengers(work))
        evaluated = journal.read(retraining, EvaluatedModels)
        if evaluated is None:
            evaluated = journal.commit(retraining, steps.evaluate(work, trained))
        verdicts = journal.read(retraining, Verdicts)
        if verdicts is None:
            verdicts = journal.commit(retraining, steps.decide(work, evaluated))
        done = steps.promote(work, trained, verdicts)
        write_page(work, trained, evaluated, verdicts, done)
        return journal.commit(retraining, done)
    except (NoWorkersError, WorkersDiedError):
        raise
    except (DataError, ModelError, TrainingError, UsageError) as error:
        failed = Done(outcome="failed", finished=datetime.now(UTC), words=(str(error),))
        journal.commit(retraining, done or failed)  # what serves now does so also without its page
        raise


def _with_length(pipeline: Pipeline, images: int | None) -> Pipeline:
    if pipeline.training is None:
        raise ConfigError(f"pipeline {pipeline.name!r} has no training section; it cannot be retrained")
    length = images or pipeline.retraining.images or pipeline.training.images
    return pipeline.model_copy(update={"training": pipeline.training.model_copy(update={"images": length})})


def _training(plan: _Plan, pipeline: Pipeline) -> Training:
    """What will be trained: what an unfinished retraining began with, whatever the pipeline says by now."""
    begun = pipeline if plan.unfinished is None else steps.pipeline_of(plan.unfinished)
    assert begun.training is not None
    return begun.training


def _plan(journal: Journal, pipeline: Pipeline, data: str, now: datetime) -> _Plan:
    begun = journal.begun()
    last = journal.read(begun[-1], Begun) if begun else None
    if last is not None and journal.read(last.retraining, Done) is None:
        return _Plan(last.retraining, last)
    assert pipeline.training is not None
    config = pipeline.retraining
    snapshot = take_snapshot(PatientStore(open_input(data), known=False), pipeline.training.data, config.holdout)
    difference = None if last is None else snapshot.difference(journal.snapshot(last), last.retraining)
    due = is_due(config, last.began if last else None, difference.new if difference else 0, now)
    return _Plan(new_run_id(now), None, snapshot, difference, due)


def _told(plan: _Plan, pipeline: Pipeline) -> tuple[str, ...]:
    """What a call would do."""
    if plan.unfinished is not None:
        begun = plan.unfinished
        return (f"resumes retraining {begun.retraining}, begun on {begun.began:%Y-%m-%d %H:%M} UTC",)
    assert plan.snapshot is not None
    assert plan.due is not None
    assert pipeline.training is not None
    counts = ", ".join(f"{count:,} {place}" for place, count in plan.snapshot.counts.items())
    told = [f"{'due' if plan.due.due else 'not due'}: {plan.due.words}",
            f"would train on {pipeline.training.images:,} images seen, from {pipeline.retraining.begin_from}",
            f"images: {counts}"]
    if plan.difference is not None:
        change = plan.difference
        told.append(f"since retraining {change.since}: {change.new:,} new, {change.removed:,} removed, "
                    f"{change.changed:,} changed")
    return tuple(told)
