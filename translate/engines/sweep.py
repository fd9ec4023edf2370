"""Images bigger than memory: translated in parts, layer by layer, exactly as if whole.

Tiles that are translated by themselves show seams that no overlap hides, because every instance norm looks at the whole
image. Here every norm has the statistics of the whole image, gathered over all parts before they are used; every part
has the margin that its layers look at; so the result is that of the whole image but for the rounding of sums. Between
the passes over an image only what is small is kept, in the type that the engine computes in; layers at the image's own
resolution are computed once for their statistics and again for what follows.

Where not even that fits, the statistics can be those of a smaller copy, and nothing is kept: then memory does not grow
with the image any more, and the result is near, but no longer that of the whole.

**The same bytes.** Parts are cut by the network and the image's size alone, each is computed by one thread, and
statistics are added up in the parts' order: neither memory nor the number of threads changes a bit.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from translate.engines._layers import IMAGE, read_layers
from translate.engines._part import Box, compute
from translate.engines._passes import kept_values_per_px, last_pass, plan_passes, working_values
from translate.engines.padded import PaddedImage
from translate.models.moments import merge, moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from translate.engines._layers import Layer
    from translate.engines._part import Statistics
    from translate.engines._passes import Pass
    from translate.models.moments import Moments
    from translate.models.translator import Translator

MOST_THREADS = 8
"""Parts in work at once; each takes about `PART_BYTES`."""
PART_BYTES = 48 * 2**20
"""Memory in which a part is computed. Small enough that the C library gives the same memory to every layer again."""
LEAST_PART_PX = 32
"""A part's side, of its target, is never shorter."""
LEAST_RADII = 4
"""Nor, where everything is computed anew for each part, than this many times what a pixel looks each way."""
REDUCED_PX = 2**22
"""Most pixels of a copy that statistics are taken from."""
PIECE_PX = 64
"""Side of the pieces of which it is made."""
LEAST_PIECES = 8
"""So many of them along its short side, if that is long enough."""
BASE_BYTES = 2**30
"""What a sweep takes whatever the image's size: the process, its libraries, and `MOST_THREADS` parts."""
PICTURE_BYTES_PER_PX = 8
"""An image and its translation as uint8, each with alpha."""
DEFAULT_WIDTH = 64
"""Of a generator whose config has no ``width``."""

_log = logging.getLogger(__name__)


class Sweep:
    """Translates one image at a time, as large as what is kept of it fits into memory; several threads may use it."""

    def __init__(self, translator: Translator, precision: Literal["float32", "bfloat16"]) -> None:
        """``translator`` lies on the device that computes, and stays as it is.

        Raises `ModelError` if there is a layer of which it is not known what it looks at.
        """
        self._translator = translator
        self._layers = read_layers(translator)
        self._device = next(translator.network.parameters()).device
        self._type = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._passes = plan_passes(self._layers, getattr(translator.config, "width", DEFAULT_WIDTH) / 2)

    @property
    def bytes_per_px(self) -> float:
        """The most that there is for each pixel of an image at any time, the image and its translation included."""
        return PICTURE_BYTES_PER_PX + kept_values_per_px(self._layers, self._passes) * self._type.itemsize

    def memory_bytes(self, pixels: int) -> int:
        """What an image of so many pixels takes at most, with the whole process; see `bytes_per_px`."""
        return BASE_BYTES + int(self.bytes_per_px * pixels)

    def translate(self, x: Tensor, stopped: Callable[[], bool]) -> Tensor | None:
        """(1, in_channels, H, W) float in [-1, 1], any H, W -> (1, out_channels, H, W) float32; None if ``stopped``."""
        result = torch.empty(1, self._translator.out_channels, *x.shape[2:])

        def write(top: int, left: int, part: Tensor) -> None:
            result[..., top : top + part.shape[2], left : left + part.shape[3]] = part

        return result if self.run(PaddedImage(x, self._translator), write, stopped) else None

    def run(
        self,
        image: PaddedImage,
        write: Callable[[int, int, Tensor], None],
        stopped: Callable[[], bool],
        alike: PaddedImage | None = None,
    ) -> bool:
        """Hand out the translation in parts; False if it was ``stopped`` before it was complete.

        ``write`` gets top and left in the picture and a part (1, out_channels, h, w) float32 in [-1, 1] on the CPU,
        from several threads at once, each part once. With ``alike``, an image with about the same statistics, those
        are taken, and nothing is kept of the image itself.
        """
        work = _Work(self._layers, alike or image, self._device, self._type)
        began = time.perf_counter()
        for number, each in enumerate(self._passes[:-1], start=1):
            if not work.go(each, write, stopped):
                return False
            _log.info("pass %d of %d ended after %.0f s", number, len(self._passes), time.perf_counter() - began)
        if alike is None:
            return work.go(self._passes[-1], write, stopped)
        least_px = LEAST_RADII * self._translator.receptive_radius_px
        last = _Work(self._layers, image, self._device, self._type, work.statistics, least_px)
        return last.go(last_pass(self._layers), write, stopped)


def reduced(pixels: NDArray[np.uint8], most_px: int = REDUCED_PX) -> NDArray[np.uint8]:
    """A copy (h, w, 3) of a picture (H, W, 3) with at most ``most_px`` pixels, for its statistics.

    Made of small pieces from all over it at their own size: a copy that is scaled down has other statistics, as a
    network sees other textures in it.
    """
    height, width = pixels.shape[:2]
    share = min(1.0, most_px / (height * width))
    # A short side keeps some pieces, and the long one pays for them.
    short = min(1.0, max(math.sqrt(share), LEAST_PIECES * PIECE_PX / min(height, width)))
    rows, columns = (share / short, short) if height > width else (short, share / short)
    return pixels[np.ix_(_spread(height, rows), _spread(width, columns))]


def _spread(side: int, share: float) -> NDArray[np.intp]:
    """Pixels of evenly spaced pieces that make up about this share of a side."""
    if share >= 1:
        return np.arange(side)
    pieces = max(1, int(side * share) // PIECE_PX)
    middles = (np.arange(pieces) + 0.5) * side / pieces
    return (middles[:, None].astype(np.intp) + np.arange(-PIECE_PX // 2, PIECE_PX // 2)).reshape(-1)


class _Work:
    """One image on its way: what is kept of it, and the statistics known so far."""

    def __init__(
        self,
        layers: list[Layer],
        image: PaddedImage,
        device: torch.device,
        dtype: torch.dtype,
        statistics: dict[int, Statistics] | None = None,
        least_px: int = 0,
    ) -> None:
        self._layers, self._image, self._device, self._type = layers, image, device, dtype
        height, width = image.size
        self._sizes = [(height * layer.side // layers[IMAGE].side, width * layer.side // layers[IMAGE].side)
                       for layer in layers]
        self._kept: dict[int, Tensor] = {}
        self.statistics = statistics or {}
        self._least_px = max(least_px, LEAST_PART_PX)
        self._threads = min(torch.get_num_threads(), MOST_THREADS) if device.type == "cpu" else 1

    def go(self, each: Pass, write: Callable[[int, int, Tensor], None], stopped: Callable[[], bool]) -> bool:
        """One pass over all parts; False if it was stopped."""
        if each.keep:
            shape = (1, self._layers[each.target].channels, *self._sizes[each.target])
            self._kept[each.target] = torch.empty(
                shape, dtype=self._type, device=self._device, memory_format=torch.channels_last)

        def do(box: Box) -> Moments | None:
            if stopped():
                return None
            part = self._compute(each, box)
            if each.keep:
                box.of(self._kept[each.target]).copy_(part)
            elif not each.norms:
                self._hand_out(part, box, write)
            return moments(part) if each.norms else None

        with self._in_threads() as threads:
            found = list(threads.map(do, self._boxes(each)))
        if stopped():
            return False
        if each.norms:
            count, mean, squares = merge(part for part in found if part is not None)
            known = mean.float().to(self._device), (squares / count).float().to(self._device)
            self.statistics |= dict.fromkeys(each.norms, known)
        for index in each.frees:
            del self._kept[index]
        return True

    def _boxes(self, each: Pass) -> Iterator[Box]:
        """Parts of about equal size that make up the target."""
        height, width = self._sizes[each.target]
        bytes_each = working_values(self._layers, each) * self._type.itemsize
        side = max(self._least_px, math.isqrt(int(PART_BYTES / bytes_each)))
        for top, bottom in _cuts(height, side):
            for left, right in _cuts(width, side):
                yield Box(top, bottom, left, right)

    @torch.no_grad()
    def _compute(self, each: Pass, box: Box) -> Tensor:
        compact = self._type == torch.bfloat16
        with torch.autocast(self._device.type, torch.bfloat16, enabled=compact):
            return compute(self._layers, each, box, self._sizes, self._read, self.statistics)

    def _read(self, index: int, box: Box) -> Tensor:
        if index != IMAGE:
            return box.of(self._kept[index])
        part = self._image.read(slice(box.top, box.bottom), slice(box.left, box.right))
        return part.to(self._device, memory_format=torch.channels_last)

    def _hand_out(self, part: Tensor, box: Box, write: Callable[[int, int, Tensor], None]) -> None:
        """The part of the output that lies in the picture, not in its padding."""
        crop = self._image.crop
        picture = Box(crop.top, crop.top + crop.height, crop.left, crop.left + crop.width)
        seen = box.common(picture)
        if seen.top < seen.bottom and seen.left < seen.right:
            inside = seen.of(part, box).float().clamp(-1.0, 1.0).cpu()
            write(seen.top - crop.top, seen.left - crop.left, inside)

    @contextlib.contextmanager
    def _in_threads(self) -> Iterator[ThreadPoolExecutor]:
        """Each part keeps to one thread; after an error no further part is begun."""
        before = torch.get_num_threads()
        pool = ThreadPoolExecutor(self._threads, "part", initializer=_keep_to_one_thread)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(before)  # new threads begin with what any thread has set last


def _keep_to_one_thread() -> None:
    """For good: torch looks up what any thread has set last when a thread first computes or asks, so it asks here."""
    torch.get_num_threads()
    torch.set_num_threads(1)


def _cuts(length: int, side: int) -> Iterator[tuple[int, int]]:
    """Ends of pieces of about equal length, at most ``side`` each, in even numbers of pixels."""
    pieces = -(-length // side)
    step = -(-length // pieces // 2) * 2
    return ((first, min(length, first + step)) for first in range(0, length, step))
