"""How far an engine's pictures are from those of PyTorch in float32 on the CPU."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from translate.images.tensors import to_channels, to_pixels, to_tensor
from translate.models.threads import on_all_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from translate.engines.contract import Engine
    from translate.models.translator import Translator

IMAGES = 3
"""To compare; the worst of them counts."""
MOST_PX = 256
"""Side of the part of each that is compared: float32 takes seconds for a large picture."""


def agreement_db(engine: Engine, translator: Translator, images: Sequence[NDArray[np.uint8]]) -> float:
    """PSNR in decibels of the engine's pictures against those of its model on the CPU in float32, for the worst of
    ``images``: uint8 (H, W, 3) RGB at the working size.

    ``translator`` is the model before the engine has taken it to its device. Infinite if the pictures are the same;
    minus infinity if one is not finite.
    """
    worst = math.inf
    for image in images[:IMAGES]:
        height, width = image.shape[:2]
        top, left = max(0, height - MOST_PX) // 2, max(0, width - MOST_PX) // 2
        part = image[top : top + MOST_PX, left : left + MOST_PX]
        x = to_channels(to_tensor(part), translator.in_channels)[None]
        found = engine.translate(x)[0]
        if not np.isfinite(found.numpy()).all():
            return -math.inf
        wanted = on_all_cores(partial(translator, x))[0]
        worst = min(worst, psnr_db(to_pixels(found), to_pixels(wanted)))
    return worst


def psnr_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures of one shape, in decibels."""
    mean = float(np.square(a.astype(np.float64) - b).mean())
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)
