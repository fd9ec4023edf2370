"""From what was asked for to what exactly is done: the model's version, engine and work, as every worker gets them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from translate.batch import sampling
from translate.batch.worker import Task, read_calibrated
from translate.config import PixelSettings
from translate.engines.agreement import agreement_db
from translate.engines.calibration import IMAGES, calibrate
from translate.engines.choice import choose, open_checked
from translate.engines.opening import declared, device_of, open_engine, refuse_unknown
from translate.engines.sizes import sizes_for
from translate.engines.torch import engine_name, pick_device
from translate.errors import ModelError, UsageError, WorkDigestError
from translate.models.foreign import SUFFIXES
from translate.provenance import Work
from translate.registry import ModelRegistry, open_model
from translate.stores import open_store
from translate.translation.core import marking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from translate.batch.request import RunRequest
    from translate.engines.contract import Engine
    from translate.models.translator import Translator
    from translate.provenance import PlanRecord, Sizes


@dataclass(frozen=True, slots=True)
class Resolved:
    """What exactly is done, and with what."""

    task: Task
    engine: Engine
    """Engine of this process; workers elsewhere may have another, see `RunRequest.engine`."""
    why_engine: str
    """Why this engine was chosen, in a line; empty where there was no choice."""
    calibrated: bytes | None
    """The engine's weights, if they were calibrated just now."""


def resolve(job: RunRequest, past: Callable[[], Iterable[Work]] = tuple) -> Resolved:
    """Load the model and choose the engine; the task names exactly this version and engine for every worker.

    ``past`` reads by what work the outputs that are there were made, the latest last: the engine stays theirs.
    Raises `UsageError` if the engine that was asked for is not to be had, or is too far from float32.
    """
    translator = open_model(job.model, job.registry_url)
    alike = [work.engine for work in past() if work.model_digest == translator.facts.digest]
    chosen = _choose(job, translator, alike)
    return Resolved(_task(job, translator, chosen.engine, sizes_for(chosen.engine)), *chosen)


class _Chosen(NamedTuple):
    engine: Engine
    why: str = ""
    calibrated: bytes | None = None


def _choose(job: RunRequest, translator: Translator, alike: Sequence[str]) -> _Chosen:
    """The engine of this process: what was asked for, that of the outputs ``alike``, or the fastest."""
    work = _work(job, translator, "")
    name = job.choice

    @cache
    def images() -> list[sampling.Pixels]:
        return sampling.first_images(job, work)

    if job.settings.pixels == "compat" or job.engine:
        return _Chosen(open_engine(_without_choice(job), translator))
    if name == "openvino-int8":
        return _in_int8(job, translator, alike)
    if name != "auto":
        refuse_unknown(name)
        if job.device not in ("auto", device_of(name)):
            raise UsageError(f"--engine {name} does not compute on the device {job.device}; leave out one of them")
        return _Chosen(open_checked(name, translator, images, read_calibrated(job.output, name)))
    if alike and device_of(alike[-1]) == pick_device(job.device):
        return _Chosen(open_engine(alike[-1], translator, read_calibrated(job.output, alike[-1])))
    count = sampling.count_images(job.source, job.selection)
    chosen = choose(translator, job.device, count, images, lambda: sampling.shipped_images(job, work))
    return _Chosen(chosen.engine, chosen.why)


def _without_choice(job: RunRequest) -> str:
    """The only engine that this process can have for ``pixels: compat`` and beside workers with an engine of their
    own; raises `UsageError` if another was asked for."""
    if job.settings.pixels == "compat":  # the reference's test script computes in float32, on the processor
        if job.engine or job.choice not in ("auto", "torch-float32"):
            raise UsageError("--pixels compat computes in float32 on processors; leave out "
                             + ("--gpus-per-worker" if job.engine else "--engine"))
        return "torch-float32"
    if job.choice not in ("auto", job.engine):
        raise UsageError(f"--engine {job.choice} is not what workers with a GPU have ({job.engine}); leave it out")
    return engine_name("cpu")


def _in_int8(job: RunRequest, translator: Translator, alike: Sequence[str]) -> _Chosen:
    """Calibrated as for the outputs that are there, else on a spread of the input, and finely if it has to be."""
    for name in reversed(alike):
        if (known := read_calibrated(job.output, name)) is not None:
            return _Chosen(open_engine(name, translator, known))
    from translate.engines.openvino import name_of

    images = sampling.spread_images(job, _work(job, translator, ""), IMAGES)
    calibrated = calibrate(translator, images)
    engine = open_engine(name_of(calibrated), translator, calibrated)
    if agreement_db(engine, translator, images) < declared(engine.name).least_db:
        calibrated = calibrate(translator, images, finely=True)
    engine = open_checked(name_of(calibrated), translator, lambda: images, calibrated)
    return _Chosen(engine, f"engine {engine.name}, calibrated on {len(images)} images of the input", calibrated)


def resolve_as_planned(job: RunRequest, record: PlanRecord) -> tuple[Task, Engine]:
    """Load the model of an unfinished run, on the engine that it began with.

    Raises `WorkDigestError` if the model or the engine cannot be had.
    """
    job = replace(job, model=record.work.model)
    try:
        translator = open_model(job.model, job.registry_url)
        here = _without_choice(job) if job.engine else record.work.engine
        engine = open_engine(here, translator, read_calibrated(job.output, here))
        task = _task(job, translator, engine, record.sizes or sizes_for(engine))
        problems = record.work.differences(task.work)
    except (ModelError, UsageError) as error:
        problems = [str(error)]
    if problems:
        raise WorkDigestError(
            f"run {record.run} in {job.output.url} is not finished, and can't be resumed as it began "
            f"({'; '.join(problems)}). Bring back the model or the kind of machine that it began with; or say "
            "--overwrite stale to begin anew and make what is there anew too, or --overwrite never to keep what is "
            "there and fill the gaps"
        )
    return task, engine


def _work(job: RunRequest, translator: Translator, engine: str) -> Work:
    settings = job.settings
    return Work(
        **settings.model_dump(include=set(PixelSettings.model_fields) - {"size"}),
        size=settings.size or translator.facts.size or "native",
        model=job.model if _is_path(job.model) else translator.facts.reference,
        model_digest=translator.facts.digest,
        engine=engine,
        mark=marking(),
    )


def _task(job: RunRequest, translator: Translator, engine: Engine, sizes: Sizes) -> Task:
    """Places are made absolute: a worker has its own working folder and environment."""
    work = _work(job, translator, job.engine or engine.name)
    is_relative = _is_path(job.model) and "://" not in job.model
    return Task(
        source=job.source,
        output=job.output,
        model=os.path.abspath(work.model) if is_relative else work.model,  # noqa: PTH100
        registry_url=open_store(ModelRegistry(job.registry_url).url).url,
        work=work,
        limits=sampling.limits_of(job),
        frames=job.settings.frames,
        sizes=sizes,
        replace_existing=job.overwrite != "never",
    )


def _is_path(model: str) -> bool:
    return os.sep in model or model.endswith(SUFFIXES)
