"""The one way from a picture to its translation.

The batch job's workers, the library, estimates and samples all call a `Core`; nothing else decides at which size the
network sees a picture, how a large one is divided, or how much memory pictures share. A `Core` is safe from any number
of threads.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np
import torch

from translate.engines.padded import PaddedImage
from translate.engines.sweep import Sweep, reduced
from translate.errors import ItemError, ModelError
from translate.images import codec, credentials
from translate.images.mark import VERSION as MARK_VERSION
from translate.images.mark import Mark, model_label, to_xmp
from translate.images.picture import Limits
from translate.images.resize import resize, short_side
from translate.images.tensors import to_channels, to_pixels, to_tensor
from translate.models.threads import one_thread
from translate.stores.patience import never
from translate.translation.allowance import Allowance
from translate.translation.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from translate.engines.contract import Engine
    from translate.images.picture import Frames, OutputFormat, Picture
    from translate.provenance import Sizes, Work

COMPAT_PX = 256
"""Side to which ``pixels: compat`` squashes every picture, as the reference's test script does."""
COMPAT_SEED = 0
"""Seed of the dropout in ``pixels: compat``; the same for every picture, so that a repeat gives the same bytes."""
FLAT_LEVELS = 8
"""A picture whose levels spread less than this may have a constant translation."""
PICTURE_BYTES_PER_PIXEL = 8
"""Memory of a picture in hand, per pixel: source and result, each with alpha."""
PIXELS_BYTES = 512 * 1024 * 1024
"""Most memory of all pictures in hand, sources and results; a larger picture is in hand alone."""
FILES_BYTES = 256 * 1024 * 1024
"""Most memory of source files that were fetched and are not decoded yet."""
CHANGING = 1
"""Pictures whose tensors are made and freed while the engine computes as many others as it wants."""
LARGE_PIXELS = 1_000_000
"""Working sizes above this take turns, for the memory that they need."""


@dataclass(slots=True)
class Stages:
    """The stage that a picture is in, and the milliseconds that it spent in each so far."""

    now: str = "get"
    ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        """Enter a stage; its time is noted if it ends well."""
        self.now = stage
        start = time.perf_counter()
        yield
        self.ms[stage] = round((time.perf_counter() - start) * 1000, 2)


@dataclass(frozen=True, slots=True)
class Made:
    """A translated picture as the bytes of a file."""

    data: bytes
    width: int
    height: int
    notes: tuple[str, ...]
    """What was lost or chosen on the way, see `translate.images.picture.Picture`."""
    source_bytes: int
    """Size of the source's file."""

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the bytes."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


_cores: WeakSet[Core] = WeakSet()
"""All cores of this process."""


class Core:
    """Owns a model on an engine, the plan for large pictures, batches, and the memory that pictures in hand share.

    Two doors: `translate` (picture to picture) and `make` (bytes to bytes: decode, translate, encode, mark).
    """

    def __init__(
        self, engine: Engine, work: Work, sizes: Sizes, limits: Limits | None = None, frames: Frames = "first"
    ) -> None:
        """``work`` says what decides the pixels, ``sizes`` up to which size a picture is translated whole.

        Raises `UsageError` if outputs are to be signed and this machine has nothing to sign with.
        """
        self.engine = engine
        self.work = work
        self.turns = engine.concurrency + CHANGING if engine.batch == 1 else 2 * engine.batch
        """How many pictures may be at the network at once."""
        self._sizes, self._limits, self._frames = sizes, limits or Limits(), frames
        self._signer = credentials.open_signer() if work.is_signed else None
        self._sweep: Sweep | None = None
        self.free_turns()
        _cores.add(self)

    def free_turns(self) -> None:
        """Make turns, batches and memory anew: nobody is at the network, and no memory is held.

        Called by itself in a forked process, where the threads that held it do not exist.
        """
        self._network = threading.BoundedSemaphore(self.turns)
        self._large = threading.Lock()
        self._batches = Batches(self.engine.translate, self.engine.batch)
        self._pixels, self._files = Allowance(PIXELS_BYTES), Allowance(FILES_BYTES)
        self._sweep_lock = threading.Lock()

    def decode(self, data: bytes) -> Picture:
        """Bytes of any image format that is read -> upright sRGB picture; raises `ItemError` for what is refused."""
        return codec.decode(data, self._limits, frames=self._frames, exif=self.work.exif)

    def encode(self, picture: Picture, output_format: OutputFormat, mark: Mark) -> bytes:
        """Picture -> marked bytes; the same picture and mark always give the same bytes, but for a signature."""
        data = codec.encode(picture, output_format, self.work.quality, to_xmp(mark))
        return data if self._signer is None else self._signer.sign(data, mark)

    def translate(
        self, picture: Picture, stopped: Callable[[], bool] = never, stages: Stages | None = None
    ) -> Picture | None:
        """The translation, of the picture's height, width and alpha (``compat``: 256 x 256, without alpha).

        Waits for a turn at the network. None if ``stopped``, which is asked before the turn and, of a picture that is
        translated in parts, between them. Raises `ItemError`: ``input.too_large`` (a GPU has not enough memory, or
        the architecture cannot be divided), ``output.invalid``.
        """
        height, width = working_size(picture, self.work)
        with self._large if height * width > LARGE_PIXELS else nullcontext(), self._network:
            if stopped():
                return None
            with (stages or Stages()).at("translate"):
                return self._compat(picture) if self.work.pixels == "compat" else self._exact(picture, stopped)

    def make(
        self,
        fetch: Callable[[], bytes],
        size_bytes: int,
        output_format: OutputFormat,
        stopped: Callable[[], bool] = never,
        stages: Stages | None = None,
    ) -> Made | None:
        """The translation of a file as bytes, marked; None if ``stopped`` before the network began with it.

        ``fetch`` gives the source, of about ``size_bytes``; it is called once there is memory for it. ``stages`` tells
        where the picture is. Raises `ItemError` for what cannot be translated, and what ``fetch`` raises.
        """
        stages = stages or Stages()
        with ExitStack() as memory:
            with self._files.hold(size_bytes):
                if stopped():
                    return None
                with stages.at("get"):
                    source = fetch()
                with stages.at("decode"):
                    needed = self._picture_bytes(source)
                memory.enter_context(self._pixels.hold(needed))
                if stopped():
                    return None
                with stages.at("decode"):
                    picture = self.decode(source)
            mark, source_bytes = self.mark_of(source), len(source)
            del source
            translated = self.translate(picture, stopped, stages)
            if translated is None:
                return None
            with stages.at("encode"):
                data = self.encode(translated, output_format, mark)
        height, width = translated.pixels.shape[:2]
        return Made(data, width, height, translated.notes, source_bytes)

    def mark_of(self, source: bytes) -> Mark:
        """What the output of these source bytes will say of itself."""
        digest = "sha256:" + hashlib.sha256(source).hexdigest()
        return Mark(model_label(self.work.model), self.work.model_digest, digest, self.work.digest)

    def _picture_bytes(self, data: bytes) -> int:
        """Memory that the picture in these bytes will take, by its header; 0 for one that is refused as too large."""
        if len(data) > self._limits.max_bytes:
            return 0
        facts = codec.probe(data)
        pixels = facts.width * facts.height
        return 0 if pixels > self._limits.max_pixels else PICTURE_BYTES_PER_PIXEL * pixels

    def _exact(self, picture: Picture, stopped: Callable[[], bool]) -> Picture | None:
        height, width = picture.pixels.shape[:2]
        seen = resize(picture.pixels, *working_size(picture, self.work), how="auto")
        notes = picture.notes
        try:
            if seen.shape[0] * seen.shape[1] <= self._sizes.whole_px:
                x = self._seen_by_network(seen)
                pixels = _levels(self._batches.translate(x))
            else:
                found = self._in_parts(seen, stopped)
                if found is None:
                    return None
                pixels, notes = found[0], (*notes, found[1])
        except torch.OutOfMemoryError as error:  # of a GPU: nothing else has died of it
            raise ItemError(
                "input.too_large",
                f"{seen.shape[1]} x {seen.shape[0]} pixels need more memory than the {self.engine.device} device has "
                "free; give a smaller working size with --size",
            ) from error
        _refuse_constant(picture.pixels, pixels)
        return replace(picture, pixels=resize(pixels, height, width, how="auto"), notes=notes)

    def _in_parts(self, seen: NDArray[np.uint8], stopped: Callable[[], bool]) -> tuple[NDArray[np.uint8], str] | None:
        """With PyTorch, in the engine's precision (int8: in bfloat16); with a note. None if stopped."""
        sweep = self._opened_sweep()
        translator = self.engine.translator
        pixels = np.empty_like(seen)

        def write(top: int, left: int, part: Tensor) -> None:
            pixels[top : top + part.shape[2], left : left + part.shape[3]] = _levels(part[0])

        limit = self._sizes.sweep_bytes
        exact = limit is None or sweep.memory_bytes(seen.shape[0] * seen.shape[1]) <= limit
        alike = None if exact else PaddedImage(reduced(seen), translator)
        if not sweep.run(PaddedImage(seen, translator), write, stopped, alike):
            return None
        return pixels, "in_parts" if exact else "approximate"

    def _opened_sweep(self) -> Sweep:
        """The plan for large pictures, made once."""
        with self._sweep_lock:
            if self._sweep is None:
                try:
                    self._sweep = Sweep(
                        self.engine.translator, "float32" if self.engine.precision == "float32" else "bfloat16"
                    )
                except ModelError as error:
                    raise ItemError("input.too_large", str(error)) from error
            return self._sweep

    def _seen_by_network(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 -> (in_channels, H, W) float32, without other threads, see `translate.models.threads`."""
        with one_thread():
            return to_channels(to_tensor(pixels), self.engine.translator.in_channels)

    def _compat(self, picture: Picture) -> Picture:
        """As the test script of pytorch-CycleGAN-and-pix2pix: 256 x 256 (bicubic), truncated to bytes."""
        small = resize(picture.pixels, COMPAT_PX, COMPAT_PX, how="bicubic")
        x = self._seen_by_network(small)
        y = self.engine.compat(x[None], COMPAT_SEED)[0]
        _refuse_non_finite(y)
        pixels = to_pixels(y, rounding="truncate")
        _refuse_constant(small, pixels)
        return replace(picture, pixels=pixels, alpha=None)


def _in_forked_process() -> None:
    for core in _cores:
        core.free_turns()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_forked_process)


def working_size(picture: Picture, work: Work) -> tuple[int, int]:
    """Height and width at which the network sees a picture: one that is smaller than the work's size stays."""
    height, width = picture.pixels.shape[:2]
    if work.pixels == "compat":
        return COMPAT_PX, COMPAT_PX
    if work.size == "native" or min(height, width) <= work.size:
        return height, width
    return short_side(height, width, work.size)


def marking() -> str:
    """How this machine marks outputs, for `Work.mark`. Raises `UsageError` if it is to sign them and cannot."""
    if not credentials.signing_is_asked_for():
        return MARK_VERSION
    credentials.open_signer()
    return f"{MARK_VERSION}+{credentials.VERSION}"


def _levels(y: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) of the network's output -> (H, W, 3) uint8; raises `ItemError` if it is not finite."""
    _refuse_non_finite(y)
    return to_pixels(y)


def _refuse_non_finite(y: Tensor) -> None:
    if not np.isfinite(y.numpy()).all():
        raise ItemError("output.invalid", "the network's output is not finite; check the model, or --device cpu")


def _refuse_constant(source: NDArray[np.uint8], result: NDArray[np.uint8]) -> None:
    if np.ptp(result) == 0 or (result == result[:1, :1]).all():
        spread = int(np.ptp(source.reshape(-1, 3), axis=0).max())
        if spread >= FLAT_LEVELS:
            raise ItemError("output.invalid", "the network's output is one flat colour though its input is not")
