"""From what names a model to a translator that is ready: `load_translator`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast, get_args

import torch

from translate.batch.planning import Selection
from translate.batch.request import RunRequest
from translate.batch.resolve import resolve
from translate.config import Run, load_pipeline, pipeline_names, validate
from translate.engines.torch import Device
from translate.errors import UsageError
from translate.library.translator import ImageTranslator
from translate.stores import open_store

if TYPE_CHECKING:
    from typing import Literal

    from translate.config import Pipeline


def load_translator(
    name: str | os.PathLike[str],
    *,
    size: int | Literal["native"] | None = None,
    registry: str | os.PathLike[str] | None = None,
    device: Device | torch.device = "auto",
    engine: str = "auto",
) -> ImageTranslator:
    """Load a model once, to translate pictures of any kind with it: the same pixels as `translate run` makes.

    ``name`` is what ``run --pipeline`` or ``run --model`` takes: a pipeline's name or YAML; ``name`` or
    ``name@version`` in the registry; the path or URL of a folder with a model, or of a ``.pth`` file. A model that
    has the name of a shipped pipeline gets that pipeline's settings, as ``monet2photo@3`` does. ``size`` is the working
    size (short side in pixels, or ``native``) instead of the settings' own, ``registry`` where models are (None:
    ``TRANSLATE_REGISTRY``, else ``./models``), ``device`` where the network runs: ``auto``, ``cpu``, ``cuda``,
    ``mps`` or a `torch.device`.

    ``engine`` makes the pixels: ``auto`` is PyTorch, as for a job of few images. A job of many may have chosen a faster
    one, which its page, plan and ``translate status`` name: for its very pixels give that, e.g. ``openvino-bfloat16``.
    (Not ``openvino-int8``, which is calibrated on a job's own images.)

    Raises `UsageError` and `ModelError`, with what is known by that name. Loading takes seconds, PyTorch's included.
    """
    name = os.fspath(name)
    if engine.startswith("openvino-int8"):
        raise UsageError(f"engine {engine!r} is calibrated on the images of a job, and here is none; give another")
    pipeline, model = _named(name)
    if not model:
        raise UsageError(f"pipeline {name!r} has no model yet; train one, and load that by its name")
    settings = (pipeline.run if pipeline else Run()).model_dump()
    nowhere = open_store("memory://nowhere/")
    job = RunRequest(
        pipeline=pipeline.name if pipeline else "",
        source=nowhere,
        output=nowhere,
        model=model,
        settings=validate(Run, settings if size is None else {**settings, "size": size}, "the settings"),
        selection=Selection(),
        registry_url=None if registry is None else os.fspath(registry),
        device=_device(device),
        choice=engine,
    )
    resolved = resolve(job)
    return ImageTranslator(resolved.task, resolved.engine)


def _device(device: Device | torch.device) -> Device:
    """The same as one word."""
    if isinstance(device, torch.device):
        if device.index not in (None, 0):
            raise UsageError(f"device {str(device)!r}: the network runs on the first one; make this the first, with "
                             f"CUDA_VISIBLE_DEVICES={device.index}, and give {device.type!r}")
        device = cast("Device", device.type)
    if device not in get_args(Device):
        raise UsageError(f"no device {device!r}; expected one of {', '.join(get_args(Device))}, or a torch.device")
    return device


def _named(name: str) -> tuple[Pipeline | None, str | None]:
    """The pipeline whose settings count, and the model."""
    if name.endswith((".yaml", ".yml")):
        pipeline = load_pipeline(name)
        return pipeline, pipeline.model
    word, at, _ = name.partition("@")
    if word not in pipeline_names():
        return None, name
    pipeline = load_pipeline(word)
    return pipeline, name if at else pipeline.model
