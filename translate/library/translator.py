"""What `translate.load_translator` returns: a loaded model that a program calls with its pictures.

There is no second way from a picture to its translation: it goes through the core that the batch job uses, on the
engine that a job of few images would choose here.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sized
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import torch
from torch import Tensor

from translate.batch import worker
from translate.errors import UsageError
from translate.images.codec import output_format, probe
from translate.images.in_memory import (
    PillowImage,
    from_array,
    from_pillow,
    from_tensor,
    to_array,
    to_pillow,
    to_tensor_like,
)
from translate.progress import Listener, Progress, silent
from translate.registry import open_model
from translate.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Literal

    from numpy.typing import NDArray

    from translate.batch.worker import Task
    from translate.config import Domains
    from translate.engines.contract import Engine
    from translate.images.picture import Picture

_Pixels = TypeVar("_Pixels", bound="NDArray[np.uint8] | str | os.PathLike[str]")
_AHEAD = 2
"""Pictures in hand for each thread of `ImageTranslator.map`: results wait for an earlier one that takes long."""


class ImageTranslator:
    """Translates pictures; made by `translate.load_translator`, which loads the model once.

    Several threads may call it at once. Where the engine computes in float32 on a processor one picture keeps to the
    thread that calls, as threads would change its bits: a list, or `map`, then uses the whole machine.

    It goes to other processes: a pickled one loads the same model and engine there, and raises `ModelError` if the
    model is another by then; a forked process uses what its parent has loaded (not on a GPU or with OpenVINO, which
    cannot be forked). A copy is the same object, as nothing in it changes. With asyncio:
    ``await asyncio.to_thread(translator, picture)``.
    """

    def __init__(self, task: Task, engine: Engine) -> None:
        self._task = task
        self._core = task.core(engine)

    @property
    def model(self) -> str:
        """What was loaded: ``name@version``, or the path of a model outside the registry."""
        return self._core.work.model

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the file with the model's weights."""
        return self._core.work.model_digest

    @property
    def domains(self) -> Domains:
        """What it translates, in words: ``domains.a`` into ``domains.b``, e.g. painting into photograph."""
        return self._core.engine.translator.facts.domains

    @property
    def size(self) -> int | Literal["native"]:
        """Working size: the short side in pixels at which the network sees a larger picture, or ``native``."""
        return self._core.work.size

    @property
    def in_channels(self) -> int:
        """Channels that the network sees: 3 for RGB, 1 for grey. Pictures are brought to that, whatever they have."""
        return self._core.engine.translator.in_channels

    @property
    def out_channels(self) -> int:
        """Channels that the network makes: 3 for RGB, 1 for grey, which is given back as RGB."""
        return self._core.engine.translator.out_channels

    @property
    def multiple(self) -> int:
        """Sides are padded to multiples of so many pixels, and cut back."""
        return self._core.engine.translator.multiple

    @property
    def engine(self) -> str:
        """What makes the pixels, e.g. ``torch-bfloat16``."""
        return self._core.engine.name

    @property
    def device(self) -> str:
        """Where the network runs: ``cpu``, ``cuda`` or ``mps``."""
        return self._core.engine.device

    def __repr__(self) -> str:
        """Model, domains, working size and engine."""
        size = self.size if self.size == "native" else f"{self.size} px"
        return (f"<ImageTranslator {self.model}: {self.domains.a} -> {self.domains.b}, working size {size}, "
                f"engine {self.engine}>")

    def __reduce__(self) -> tuple[Callable[[Task], ImageTranslator], tuple[Task]]:
        return open_task, (self._task,)

    def __copy__(self) -> ImageTranslator:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ImageTranslator:
        return self

    @overload
    def __call__(self, image: NDArray[np.uint8] | str | os.PathLike[str]) -> NDArray[np.uint8]: ...
    @overload
    def __call__(self, image: PillowImage) -> PillowImage: ...
    @overload
    def __call__(self, image: Tensor) -> Tensor: ...
    @overload
    def __call__(self, image: bytes) -> bytes: ...
    @overload
    def __call__(self, image: BytesIO) -> BytesIO: ...
    @overload
    def __call__(self, image: list[_Pixels]) -> list[NDArray[np.uint8]]: ...
    @overload
    def __call__(self, image: list[PillowImage]) -> list[PillowImage]: ...
    @overload
    def __call__(self, image: list[Tensor]) -> list[Tensor]: ...
    @overload
    def __call__(self, image: list[bytes]) -> list[bytes]: ...
    @overload
    def __call__(self, image: list[BytesIO]) -> list[BytesIO]: ...

    def __call__(self, image: object) -> object:
        """The translation of a picture, as what the picture was given as, of the same height and width.

        - Array: uint8 HWC, (H, W, 3) RGB, (H, W, 4) with alpha, or grey (H, W) -> (H, W, 3) RGB, or (H, W, 4) where
          there is alpha, which goes through as it is.
        - Pillow image of any 8-bit mode or 16-bit grey -> Pillow image, RGB or RGBA, upright and in sRGB.
        - Torch tensor: (C, H, W) or (N, C, H, W) float in [-1, 1] with 1 (grey) or 3 (RGB) channels, rounded to 8 bits
          -> the same with 3 channels, on the same device and of the same dtype. Also uint8, with 1, 3 or 4 channels
          (alpha) -> uint8 with 3, or 4. No gradient goes through.
        - `bytes` or `io.BytesIO`: a whole image file -> the file that `translate run` would write, marked as
          machine-made, in the pipeline's format (mostly: in the format that it had).
        - Path or URL (``s3://bucket/key.jpg``) of a file -> array, as above.
        - List of these -> list, in the same order, computed together where that is faster.

        A pipeline with ``pixels: compat`` makes 256 x 256 pixels of everything, without alpha. Raises `ItemError`
        (``.code``, e.g. ``input.truncated``) for a picture that cannot be translated, `UsageError` for anything
        else, `StoreError` if a place cannot be read.
        """
        if isinstance(image, np.ndarray):
            return to_array(self._translate(from_array(image)))
        if isinstance(image, Tensor):
            if image.ndim == 4 and len(image):
                return torch.stack(list(self.map(image.unbind())))
            return to_tensor_like(self._translate(from_tensor(image)), image)
        if isinstance(image, PillowImage):
            return to_pillow(self._translate(from_pillow(image)))
        if isinstance(image, bytes):
            return self._translate_file(image)
        if isinstance(image, BytesIO):
            return BytesIO(self._translate_file(image.getvalue()))
        if isinstance(image, str | os.PathLike):
            return to_array(self._translate(self._core.decode(_read(os.fspath(image)))))
        if isinstance(image, list):
            return list(self.map(image))
        raise UsageError(f"cannot translate a {type(image).__name__}; expected an array, a Pillow image, a tensor, the "
                         "bytes of an image file, a path or URL, or a list of these")

    @overload
    def map(self, images: Iterable[_Pixels], progress: Listener = ...) -> Iterator[NDArray[np.uint8]]: ...
    @overload
    def map(self, images: Iterable[PillowImage], progress: Listener = ...) -> Iterator[PillowImage]: ...
    @overload
    def map(self, images: Iterable[Tensor], progress: Listener = ...) -> Iterator[Tensor]: ...
    @overload
    def map(self, images: Iterable[bytes], progress: Listener = ...) -> Iterator[bytes]: ...
    @overload
    def map(self, images: Iterable[BytesIO], progress: Listener = ...) -> Iterator[BytesIO]: ...

    def map(self, images: Iterable[Any], progress: Listener = silent) -> Iterator[Any]:
        """The translation of each picture, in order; files are read and decoded while the network computes others.

        ``images`` is read a few pictures ahead, whatever its length, and only as results are taken. ``progress`` gets a
        `translate.progress.Progress` after each picture (``done``, ``total`` if there is a length). Raises, in the
        picture's turn, what a call with it would raise; that ends the iteration.
        """
        total = len(images) if isinstance(images, Sized) else None
        source = iter(images)
        count = self._core.turns + 1  # one decodes while the others are at the network
        begun: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(count, "translate") as threads:
            try:
                done = 0
                while True:
                    begun.extend(threads.submit(self, image) for image in islice(source, _AHEAD * count - len(begun)))
                    if not begun:
                        return
                    result = begun.popleft().result()
                    done += 1
                    progress(Progress(done, total, "images"))
                    yield result
            finally:
                for each in begun:
                    each.cancel()

    def _translate(self, picture: Picture) -> Picture:
        translated = self._core.translate(picture)
        assert translated is not None, "nobody stops it"
        return translated

    def _translate_file(self, data: bytes) -> bytes:
        wanted = self._core.work.format
        made = self._core.make(
            lambda: data, len(data), output_format(probe(data).format) if wanted == "keep" else wanted
        )
        assert made is not None, "nobody stops it"
        return made.data


def open_task(task: Task) -> ImageTranslator:
    """The translator of a task: the same model and engine, wherever this is. Raises `ModelError` if the model is
    another by now or not there, `UsageError` if this machine can't have the engine."""
    return ImageTranslator(task, worker.open_engine(task, open_model(task.model, task.registry_url)))


def _read(place: str) -> bytes:
    if place.lower().startswith("file://") or "://" not in place:
        place = open_store(place).url
    folder, _, name = place.rpartition("/")
    return open_store(folder + "/").get(name).data
