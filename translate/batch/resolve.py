"""From what was asked for to what exactly is done: the model's version, engine and work, as every worker gets them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from translate.batch import stages
from translate.batch.worker import Task
from translate.engines.opening import open_engine
from translate.errors import ModelError, UsageError, WorkDigestError
from translate.images.picture import Limits
from translate.provenance import Work

if TYPE_CHECKING:
    from translate.batch.job import Job
    from translate.engines.contract import Engine
    from translate.provenance import PlanRecord


def resolve(job: Job, planned: str | None = None) -> tuple[Task, Engine]:
    """Load the model; the task names exactly this version and engine for every worker.

    ``planned`` is the engine of a plan that is gone on with.
    Places are made absolute: a worker has its own working folder and environment.
    """
    from translate.engines.sizes import sizes_for
    from translate.models.foreign import SUFFIXES
    from translate.registry import ModelRegistry, open_model
    from translate.stores import open_store

    translator = open_model(job.model, job.registry_url)
    engine = open_engine(_engine_here(job, planned), translator)
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
        engine=job.engine or engine.name,
        exif=settings.exif,
        mark=stages.marking(),
    )
    task = Task(
        source=job.source,
        output=job.output,
        model=os.path.abspath(reference) if path and "://" not in reference else reference,  # noqa: PTH100
        registry_url=open_store(ModelRegistry(job.registry_url).url).url,
        work=work,
        replace_existing=job.overwrite != "never",
        limits=Limits(max_pixels=int(settings.max_megapixels * 1_000_000)),
        frames=settings.frames,
        sizes=sizes_for(engine),
    )
    return task, engine


def _engine_here(job: Job, planned: str | None) -> str:
    """Name of the engine of this process; workers elsewhere have that of the job, if it names one."""
    from translate.engines.torch import engine_name

    if job.settings.pixels == "compat":  # the reference's test script computes in float32, on the processor
        if job.engine:
            raise UsageError("--pixels compat computes on processors; leave out --gpus-per-worker")
        return "torch-float32"
    if job.engine:
        return engine_name("cpu")
    return planned or engine_name(job.device)


def resolve_as_planned(job: Job, record: PlanRecord) -> tuple[Task, Engine]:
    """Load the model of an unfinished run, on the engine that it began with.

    Raises `WorkDigestError` if either is not to be had.
    """
    try:
        task, engine = resolve(replace(job, model=record.work.model), record.work.engine)
        problems = record.work.differences(task.work)
    except (ModelError, UsageError) as error:
        problems = [str(error)]
    if problems:
        raise WorkDigestError(
            f"run {record.run} in {job.output.url} is not finished, and can't go on as it began "
            f"({'; '.join(problems)}). Bring back the model or the kind of machine that it began with; or say "
            "--overwrite stale to begin anew and make what is there anew too, or --overwrite never to keep what is "
            "there and fill the gaps"
        )
    return replace(task, sizes=record.sizes or task.sizes), engine
