"""Pictures in oil paint: what a photograph looks like when it is laid down in brush strokes.

Layers of curved strokes from broad to fine, as in Hertzmann 1998 ("Painterly rendering with curved brush strokes of
multiple sizes"): each stroke follows the picture's edges, by its structure tensor, and ends where the picture's colour
leaves it; finer brushes go only where the broader ones have left the picture. Every stroke is a little warmer, cooler,
lighter or darker than the picture, and its bristles leave ridges that catch the light from the upper left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from translate.images.tensors import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYERS = ((10.0, 0.0), (6.0, 8.0), (3.5, 9.5), (2.0, 12.0))
"""Brushes, broad to fine: half width in pixels, and from which mean difference in grey levels a stroke is laid."""
COLOUR_SPREAD = 6.0
"""Standard deviation of a stroke's colour from the picture's, in grey levels."""
BRISTLE_SPREAD = 5.0
"""Standard deviation of a bristle's lightness from its stroke's, in grey levels."""
RELIEF = 0.028
"""How much of a ridge's steepness becomes light and shadow, which end at `MOST_RELIEF` grey levels."""
MOST_RELIEF = 20.0
CALM = 0.15
"""Weight of the wandering, nearly level direction that strokes take where the picture has no edges."""
STEPS = 4
"""Steps of a stroke to either side of its middle, each of half a half width to one and a quarter."""
COLOUR_ENDS = 18.0
"""Mean difference in grey levels from its middle at which a stroke ends."""

BROAD_PX = 12
"""Standard deviation of the blur that leaves a picture's broad lights and darks."""

_SHIFT = 4
"""Bits of the fraction of a pixel in the coordinates that are drawn."""


def paint(pixels: NDArray[np.uint8], seed: int, scale: float = 1.0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> the same scene painted, the same shape; the same seed paints the same strokes.

    ``scale`` multiplies the brushes of `LAYERS`: 1 suits a picture whose short side is some 400 pixels.
    """
    random = np.random.default_rng(seed)
    picture = pixels.astype(np.float32)
    ground = cv2.GaussianBlur(pixels, (0, 0), LAYERS[0][0] * scale)
    canvas = np.dstack([ground, np.zeros(ground.shape[:2], np.uint8)])  # red, green, blue, and how high the paint lies
    for radius, tolerance in LAYERS:
        _lay(canvas, picture, radius * scale, tolerance, random)
    heights = cv2.GaussianBlur(canvas[..., 3].astype(np.float32), (0, 0), 0.7)
    light = RELIEF * (cv2.Sobel(heights, cv2.CV_32F, 1, 0) + cv2.Sobel(heights, cv2.CV_32F, 0, 1))
    return _bytes(canvas[..., :3] + np.clip(light, -MOST_RELIEF, MOST_RELIEF)[..., None])


def impressionist_palette(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> the same picture in stronger colours, without black: greys turn lilac in the shadow and
    cream in the light. Tones stay where they are but for 8 levels."""
    weights = np.array(LUMA, dtype=np.float32)
    picture = pixels.astype(np.float32)
    luma = (picture @ weights)[..., None]
    chroma = picture - luma
    light = luma / 255
    tint = (1 - light) * np.array([4, -9, 30], np.float32) + light * np.array([12, 0, -16], np.float32)
    tint -= (tint @ weights)[..., None]
    greyness = np.exp(-np.square(np.linalg.norm(chroma, axis=2, keepdims=True) / 45))
    return _bytes(8 + 0.95 * luma + 1.15 * chroma + 0.8 * greyness * tint)


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


def _lay(
    canvas: NDArray[np.uint8], picture: NDArray[np.float32], radius: float, tolerance: float,
    random: np.random.Generator,
) -> None:
    """One layer of strokes onto the canvas (H, W, 4), in place."""
    smooth: NDArray[np.float32] = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.6, radius / 2)), np.float32)
    error = cv2.blur(np.abs(canvas[..., :3] - smooth).mean(axis=2), (2 * round(radius) + 1,) * 2)
    height, width = error.shape
    apart = 1.15 * radius
    rows, columns = np.mgrid[0:height:apart, 0:width:apart]
    middles = np.stack([columns.ravel(), rows.ravel()], axis=1)
    middles += random.uniform(0, apart, middles.shape)
    needed = _at(error, middles) >= tolerance * random.uniform(0.6, 1.4, len(middles))
    middles = random.permutation(middles[needed])
    lines = _lines(smooth, _directions(picture, radius, random), middles, radius, random)
    count = len(middles)
    warmth = random.normal(0, COLOUR_SPREAD, (count, 1)) * np.array([1.0, 0.0, -1.0])
    colours = _at(smooth, middles) + warmth + random.normal(0, 1.2 * COLOUR_SPREAD, (count, 1))
    colours += random.normal(0, 0.4 * COLOUR_SPREAD, (count, 3))
    bristles = max(2, round(1.2 * radius))
    shades = colours[:, None] + random.normal(0, BRISTLE_SPREAD, (count, bristles, 1))
    shades = np.concatenate([shades, random.uniform(30, 255, (count, bristles, 1))], axis=2).clip(0, 255)
    colours = np.concatenate([colours, np.zeros((count, 1))], axis=1).clip(0, 255)
    wide, thin = max(1, round(2 * radius)), max(1, round(1.4 * radius / bristles))
    along = np.gradient(lines, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-6
    across = np.stack([-along[..., 1], along[..., 0]], axis=2)
    places = np.linspace(-0.8, 0.8, bristles)[None, :, None, None] * radius
    hairs = _fixed(lines[:, None] + across[:, None] * places)
    all_strokes = zip(_fixed(lines), colours.tolist(), hairs, shades.tolist(), strict=True)
    for line, colour, its_hairs, its_shades in all_strokes:
        _draw(canvas, line, colour, wide)
        for hair, shade in zip(its_hairs, its_shades, strict=True):
            _draw(canvas, hair, shade, thin)


def _draw(canvas: NDArray[np.uint8], line: NDArray[np.int32], colour: list[float], width: int) -> None:
    cv2.polylines(canvas, [line], isClosed=False, color=colour, thickness=width, lineType=cv2.LINE_AA, shift=_SHIFT)


def _directions(picture: NDArray[np.float32], radius: float, random: np.random.Generator) -> NDArray[np.float32]:
    """(H, W, 3) -> (H, W, 2), unit vectors (x, y) along the edges; where there are none, slowly turning, near level."""
    grey = cv2.GaussianBlur(picture.mean(axis=2), (0, 0), max(1.0, radius / 2))
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    products = np.dstack([across * across, across * down, down * down])
    tensor = cv2.GaussianBlur(products, (0, 0), 1.5 * radius) + 0.3 * cv2.GaussianBlur(products, (0, 0), 6 * radius)
    drift = cv2.GaussianBlur(random.standard_normal(grey.shape).astype(np.float32), (0, 0), 40)
    drift *= 0.5 / (drift.std() + 1e-9)
    x, y = np.sin(drift), -np.cos(drift)
    tensor += CALM * np.dstack([x * x, x * y, y * y])
    angle = 0.5 * np.arctan2(2 * tensor[..., 1], tensor[..., 0] - tensor[..., 2]) + np.pi / 2
    return np.dstack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def _lines(
    smooth: NDArray[np.float32], directions: NDArray[np.float32], middles: NDArray[np.float64], radius: float,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """(n, 2) middles (x, y) -> (n, 2 * STEPS + 1, 2), points along the directions from each, to both sides."""
    count = len(middles)
    reach = radius * random.uniform(0.5, 1.25, (count, 1))
    turn = random.normal(0, 0.22, count)
    turned = np.stack([np.stack([np.cos(turn), -np.sin(turn)], 1), np.stack([np.sin(turn), np.cos(turn)], 1)], 1)
    start = _at(smooth, middles)
    halves = []
    for side in (-1.0, 1.0):
        point, going, points = middles, np.ones((count, 1)), []
        way = side * np.einsum("nij,nj->ni", turned, _at(directions, middles))
        for _ in range(STEPS):
            after = np.einsum("nij,nj->ni", turned, _at(directions, point))
            way = np.where((after * way).sum(1, keepdims=True) < 0, -after, after)  # a direction has no sign of its own
            off = np.abs(_at(smooth, point + reach * way) - start).mean(axis=1, keepdims=True)
            going = np.where(off > COLOUR_ENDS, 0.0, going)
            point = point + going * reach * way
            points.append(point)
        halves.append(points)
    return np.stack([*halves[0][::-1], middles, *halves[1]], axis=1)


def _at(field: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values (n, ...) of a field (H, W, ...) at points (n, 2) of x and y; beyond the border, the border's."""
    x, y = points[:, 0].astype(int), points[:, 1].astype(int)
    found: NDArray[np.float32] = field[y.clip(0, field.shape[0] - 1), x.clip(0, field.shape[1] - 1)]
    return found


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * (1 << _SHIFT)), dtype=np.int32)


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)
