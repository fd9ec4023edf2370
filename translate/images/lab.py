"""Broad colours of pictures in CIE Lab, and moving them without turning a hue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BROAD_PX = 2
"""Standard deviation of the blur that takes strokes and grain out, for a picture of some hundred pixels."""


def broad_colours(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean chroma, and standard deviation of lightness, of (H, W, 3) uint8 RGB without its detail; in units of Lab."""
    lab = cv2.cvtColor(cv2.GaussianBlur(pixels.astype(np.float32) / 255, (0, 0), BROAD_PX), cv2.COLOR_RGB2Lab)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean()), float(lab[..., 0].std())


def move_colours(pixels: NDArray[np.uint8], chroma: float, contrast: float) -> NDArray[np.uint8]:
    """Scale the chroma of (H, W, 3) uint8 RGB, and its lightness about the middle; grey stays grey."""
    lab = np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), dtype=np.float32)
    lab[..., 0] = (lab[..., 0] - 50) * contrast + 50
    lab[..., 1:] *= chroma
    rgb = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    return np.asarray(np.rint(rgb.clip(0, 1) * 255), dtype=np.uint8)
