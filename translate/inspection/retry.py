"""Retry: a new run over what failed in an earlier one, with the same work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.batch.planning import Selection
from translate.batch.request import RunRequest
from translate.batch.run import Prepared, prepare
from translate.config import PixelSettings, Run, validate
from translate.engines.opening import device_of
from translate.errors import WorkDigestError
from translate.progress import Progress, silent
from translate.records.history import known_plan, read_ledger, run_names
from translate.records.manifest import read_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translate.engines.torch import Device
    from translate.progress import Listener
    from translate.provenance import PlanRecord
    from translate.stores.contract import ObjectStore


@dataclass(frozen=True, slots=True)
class Failed:
    """The images of a run that can be retried."""

    record: PlanRecord
    keys: tuple[str, ...]
    """Keys that failed in this run and that no later run has translated. If the run's keys were named one by one, as in
    a retry that was stopped, also those that it did not reach."""
    since: int
    """How many of its failed keys a later run has translated."""
    open: int
    """How many other keys have no outcome, because the run is not finished."""


def read_failed(store: ObjectStore, run: str, listener: Listener = silent) -> Failed:
    """What failed in a run. Raises `UsageError` if there is no such run."""
    record = known_plan(store, run)
    done = 0
    failed: set[str] = set()
    named = record.asked is not None and record.asked.keys is not None
    if named:
        failed.update(item.key for unit in read_units(store, run) for item in unit.items)
    for _, entries in read_ledger(store, run):
        done += len(entries)
        failed.difference_update(entry.key for entry in entries)
        failed.update(entry.key for entry in entries if entry.outcome == "failed")
        listener(Progress(done, record.considered.to_do, "outcomes"))
    since: set[str] = set()
    if failed:
        for later in (name for name in run_names(store) if name > run):
            for _, entries in read_ledger(store, later):
                since.update(entry.key for entry in entries if entry.outcome == "ok" and entry.key in failed)
    return Failed(record, tuple(sorted(failed - since)), len(since), 0 if named else record.considered.to_do - done)


def prepare_retry(
    failed: Failed,
    source: ObjectStore,
    output: ObjectStore,
    *,
    registry_url: str | None = None,
    device: Device = "auto",
    engine: str | None = None,
    same_place: bool = True,
    changes: Mapping[str, object] | None = None,
    listener: Listener = silent,
) -> Prepared:
    """A job whose plan holds exactly the failed keys, with the model and the settings of their run.

    ``changes`` to `Run` are for what a plan does not hold: ``max_megapixels``, ``frames``, ``fail_share``. An output
    that came into being meanwhile is kept if the run was one of ``--overwrite never``. Raises `WorkDigestError` if
    model or engine are others by now, and as `prepare` does.
    """
    record = failed.record
    work = record.work
    kept = work.model_dump(include=set(PixelSettings.model_fields))
    job = RunRequest(
        pipeline=record.pipeline,
        source=source,
        output=output,
        model=work.model,
        settings=validate(Run, {**kept, **(changes or {})}, "the run's settings"),
        selection=Selection(keys=failed.keys),
        overwrite="never" if record.overwrite == "never" else "always",
        registry_url=registry_url,
        device=device,
        choice=work.engine if engine is None and device in ("auto", device_of(work.engine)) else "auto",
        engine=engine,
        same_place=same_place,
    )
    prepared = prepare(job, listener)
    if differences := work.differences(prepared.task.work):
        raise WorkDigestError(
            f"run {record.run} can't be retried here, it would be other work ({'; '.join(differences)}). Name the "
            "registry that has its model, or the device it used; or say `translate run` with --overwrite stale"
        )
    return prepared
