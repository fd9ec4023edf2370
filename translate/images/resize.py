"""Resizing of uint8 pictures. Layout in is layout out: (H, W, C) or (H, W)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resize(
    pixels: NDArray[np.uint8], height: int, width: int, *, how: Literal["auto", "bicubic", "lanczos"] = "auto"
) -> NDArray[np.uint8]:
    """Resize (H, W, C) or (H, W) uint8 to ``height`` x ``width`` pixels.

    ``auto`` averages areas where a side shrinks and uses Lanczos where it grows, so that neither aliases nor
    blurs; ``bicubic`` is `pil_bicubic`; ``lanczos`` is Pillow's antialiased Lanczos filter, the sharpest way
    to shrink, for making training sets. The size that the picture already has returns the same array.
    """
    assert min(height, width) >= 1, f"a side of {height} x {width} pixels cannot be"
    if pixels.shape[:2] == (height, width):
        return pixels
    if how == "bicubic":
        return pil_bicubic(pixels, height, width)
    if how == "lanczos":
        resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        return np.array(resized, dtype=np.uint8)
    # A picture may shrink in one direction and grow in the other: shrink first, then enlarge.
    smaller = (min(height, pixels.shape[0]), min(width, pixels.shape[1]))
    for (rows, columns), interpolation in ((smaller, cv2.INTER_AREA), ((height, width), cv2.INTER_LANCZOS4)):
        if pixels.shape[:2] != (rows, columns):
            scaled = cv2.resize(pixels, (columns, rows), interpolation=interpolation)
            # cv2 drops a channel axis of length one.
            pixels = cast("NDArray[np.uint8]", scaled.reshape(rows, columns, *pixels.shape[2:]))
    return pixels


def pil_bicubic(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (H, W, 3) or (H, W) uint8 with Pillow's antialiased bicubic, as the reference projects do."""
    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized, dtype=np.uint8)


def short_side(height: int, width: int, target: int) -> tuple[int, int]:
    """``(height, width)`` scaled to a shorter side of ``target`` pixels, aspect kept, sides at least 1."""
    scale = target / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
