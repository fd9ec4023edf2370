"""Pictures in brush strokes: paintings whose true photograph is known.

Layers of strokes from broad to fine, each laid where the canvas is still far from the picture, along the picture's
edges, as in Litwinowicz 1997 ("Processing images and video for an impressionist effect") and Hertzmann 1998
("Painterly rendering with curved brush strokes of multiple sizes"); straight strokes, colours a little off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from translate.images.tensors import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

RADII_PX = (11, 6, 3)
"""Half widths of the brushes, broad to fine, for a picture of some 400 pixels."""
TOLERANCE = 9.0
"""Mean difference, in grey levels, that a stroke is laid to mend."""
COLOUR_SPREAD = 11.0
"""Standard deviation of a stroke's colour from the picture's, in grey levels."""

RELIEF = 6.0
"""Standard deviation of the paint's own grain before it is smoothed, in grey levels."""
BROAD_PX = 12
"""Standard deviation of the blur that leaves a picture's broad lights and darks."""


def paint(pixels: NDArray[np.uint8], seed: int, scale: float) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> the same scene painted, the same shape; the same seed paints the same strokes.

    ``scale`` multiplies `RADII_PX`: 0.35 paints with fine brushes, 1 with broad ones.
    """
    random = np.random.default_rng(seed)
    broadest = RADII_PX[0]
    canvas = cv2.GaussianBlur(pixels, (0, 0), broadest).astype(np.float32)
    for radius in RADII_PX:
        _lay(canvas, pixels, max(2, round(radius * scale)), random)
    relief = cv2.GaussianBlur(random.standard_normal(canvas.shape[:2]).astype(np.float32), (0, 0), 0.8) * RELIEF
    painted: NDArray[np.uint8] = np.clip(np.rint(canvas + relief[..., None]), 0, 255).astype(np.uint8)
    return painted


def mix_tones(
    painted: NDArray[np.uint8], photo: NDArray[np.uint8], luma_share: float, chroma_share: float
) -> NDArray[np.uint8]:
    """Paint with a share of the photograph's broad lights and darks, and of its chroma; (H, W, 3) uint8 RGB twice.

    Without it a painting in another palette says little of its photograph's tones, and who learns the way back from
    many such learns their average, which is fog.
    """
    weights = np.array(LUMA, dtype=np.float32)
    luma, true_luma = painted @ weights, photo @ weights
    broad = luma_share * (cv2.GaussianBlur(true_luma, (0, 0), BROAD_PX) - cv2.GaussianBlur(luma, (0, 0), BROAD_PX))
    chroma = (1 - chroma_share) * (painted - luma[..., None])
    chroma += chroma_share * cv2.GaussianBlur(photo - true_luma[..., None], (0, 0), BROAD_PX / 4)
    mixed: NDArray[np.uint8] = np.clip(np.rint((luma + broad)[..., None] + chroma), 0, 255).astype(np.uint8)
    return mixed


def _lay(canvas: NDArray[np.float32], pixels: NDArray[np.uint8], radius: int, random: np.random.Generator) -> None:
    """One layer of strokes onto the canvas, in place."""
    picture = cv2.GaussianBlur(pixels, (0, 0), radius / 2).astype(np.float32)
    grey = cv2.GaussianBlur(picture.mean(axis=2), (0, 0), radius)
    down, across = cv2.Sobel(grey, cv2.CV_32F, 0, 1), cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    angle = np.arctan2(down, across) + np.pi / 2  # along edges, not across them
    error = cv2.blur(np.abs(canvas - picture).mean(axis=2), (2 * radius + 1, 2 * radius + 1))
    height, width = grey.shape
    rows, columns = np.mgrid[0:height:radius, 0:width:radius]
    places = np.stack([rows.ravel(), columns.ravel()], axis=1)
    places += random.integers(0, radius, places.shape)
    for row, column in random.permutation(places):
        y, x = min(int(row), height - 1), min(int(column), width - 1)
        if error[y, x] < TOLERANCE * random.uniform(0.3, 1.5):
            continue
        way = angle[y, x] + random.normal(0, 0.3)
        half = radius * random.uniform(1.0, 3.0)
        reach = np.array([np.cos(way), np.sin(way)]) * half
        centre = np.array([x, y])
        start, end = np.rint(centre - reach).astype(int), np.rint(centre + reach).astype(int)
        colour = picture[y, x] + random.normal(0, COLOUR_SPREAD) + random.normal(0, COLOUR_SPREAD / 3, 3)
        cv2.line(canvas, start.tolist(), end.tolist(), colour.tolist(), 2 * radius - 1, cv2.LINE_AA)
