"""The program as a library: what `translate.load_translator` returns.

There is no second way from a picture to its translation: it goes through the core that the batch job uses, on the
engine that a job would choose here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from translate.batch.planning import Selection
from translate.batch.request import RunRequest
from translate.batch.resolve import resolve
from translate.config import Run, load_pipeline, pipeline_names, validate
from translate.errors import UsageError
from translate.images.hidden import fill_hidden
from translate.images.picture import Picture
from translate.stores import open_store
from translate.translation.core import Core

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    from translate.batch.worker import Task
    from translate.config import Pipeline
    from translate.engines.contract import Engine
    from translate.engines.torch import Device


class ImageTranslator:
    """Translates pictures, one a call; made by `translate.load_translator`, which loads the model once.

    Several threads may call it at once. Where the engine computes in float32 on a processor one picture keeps to the
    thread that calls, as threads would change its bits: as many threads as cores then use the whole machine.
    """

    def __init__(self, task: Task, engine: Engine) -> None:
        self._core = Core(engine, task.work, task.sizes, task.limits, task.frames)

    @property
    def model(self) -> str:
        """What was loaded: ``name@version``, or the path of a model outside the registry."""
        return self._core.work.model

    @property
    def engine(self) -> str:
        """What makes the pixels, e.g. ``torch-bfloat16``."""
        return self._core.engine.name

    def __repr__(self) -> str:
        """Model and engine."""
        return f"<ImageTranslator {self.model} on {self.engine}>"

    def __call__(self, image: NDArray[np.uint8] | str | os.PathLike[str]) -> NDArray[np.uint8]:
        """The translation of an array, of the file at a path, or of an object by its URL (``s3://bucket/key.jpg``).

        An array is uint8 HWC: (H, W, 3) RGB, or (H, W, 4) with alpha. So is the result, of the same height and width (a
        pipeline with ``pixels: compat``: 256 x 256); it has 4 channels where the source has transparency, which goes
        through as it is. Files are read as the job reads them: upright, in sRGB. Raises `ItemError` (``.code``, e.g.
        ``input.truncated``) for a picture that cannot be translated, `UsageError` for another array, `StoreError` if
        a place cannot be read.
        """
        picture = _from_array(image) if isinstance(image, np.ndarray) else self._read(os.fspath(image))
        translated = self._core.translate(picture)
        assert translated is not None, "nobody stops it"
        if translated.alpha is None:
            return translated.pixels
        return np.dstack([translated.pixels, translated.alpha])

    def _read(self, place: str) -> Picture:
        if place.lower().startswith("file://") or "://" not in place:
            place = open_store(place).url
        folder, _, name = place.rpartition("/")
        data = open_store(folder + "/").get(name).data
        return self._core.decode(data)


def open_translator(
    name: str, size: int | Literal["native"] | None, registry: str | None, device: Device, engine: str
) -> ImageTranslator:
    """As `translate.load_translator` says."""
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
        registry_url=registry,
        device=device,
        choice=engine,
    )
    resolved = resolve(job)
    return ImageTranslator(resolved.task, resolved.engine)


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


def _from_array(array: NDArray[np.uint8]) -> Picture:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or not array.size:
        raise UsageError(
            f"cannot translate an array of shape {array.shape} and dtype {array.dtype}; expected uint8 HWC: (H, W, 3) "
            "RGB, or (H, W, 4) with alpha"
        )
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    pixels = array[..., :3].copy()
    if alpha is not None:
        fill_hidden(pixels, alpha)
    return Picture(pixels, alpha, "png")
