"""Curves over images seen, as numbers that a template draws: SVG paths, axes, legend. No library, no pixels.

A plot is stretched to the width of the page, so its x run from 0 to `PLOT_WIDTH` whatever the screen; its y are
pixels, 0 at the top and `PLOT_PX` at the bottom. Text and axes stand outside of it, in percent of the width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PLOT_WIDTH = 1000
PLOT_PX = 160
LEFT_PERCENT, RIGHT_PERCENT = 12, 96
"""Where the plot begins and ends in the chart's width; labels of the axes need the rest."""
BUCKETS = 150
"""A raw curve keeps the lowest and the highest point of each; a smooth one has as many points."""
SMOOTH_SHARE = 0.03
"""Standard deviation of the smoothing, as a share of the way: neighbours in a short training are left alone."""

Kind = Literal["noisy", "exact", "measured"]
"""``noisy``: a smoothed line over the faint raw one. ``exact``: a line. ``measured``: a line with its points marked."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values over images seen, in ascending order."""

    name: str
    images: Sequence[float]
    values: Sequence[float]
    """Those that are not finite are left out."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One series, drawn."""

    name: str
    last: str
    """The value at the end of the drawn line, with three digits that matter."""
    raw: str
    """SVG path; empty where the smooth one is the same."""
    line: str
    """SVG path."""
    dots: Sequence[tuple[float, float]]
    """(percent of the chart's width, pixels from the plot's top) of each measurement, and of a lone point."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot with its axes."""

    title: str
    note: str
    curves: Sequence[Curve]
    rows: Sequence[tuple[float, str]]
    """Lines of the y axis: pixels from the plot's top, label."""
    columns: Sequence[tuple[float, str]]
    """Ticks of the x axis: percent of the chart's width, label."""
    marks: Sequence[float]
    """Percent of the chart's width of moments worth marking."""


def chart(
    title: str,
    note: str,
    series: Sequence[Series],
    *,
    end: int,
    kind: Kind,
    from_zero: bool,
    marks: Sequence[int] = (),
) -> Chart:
    """Draw ``series`` on one scale, from 0 to ``end`` images.

    ``from_zero``: the y axis shows 0. ``marks``: images seen at which something happened. Noisy curves are smoothed by
    a Gaussian mean, and a lone spike does not set their scale: a hundredth of the raw points may lie outside.
    """
    found = []
    for one in series:
        x, y = np.asarray(one.images, dtype=float), np.asarray(one.values, dtype=float)
        finite = np.isfinite(y)
        if finite.any():
            x, y = x[finite], y[finite]
            found.append((one.name, x, y, *(_smoothed(x, y, end) if kind == "noisy" else (x, y))))
    ticks = _ticks(*_range([(y, line) for _, _, y, _, line in found], from_zero=from_zero))
    low, high = ticks[0], ticks[-1]

    def down(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return PLOT_PX * (high - values) / (high - low)

    curves = []
    for name, x, y, line_x, line_y in found:
        raw = "" if len(line_x) == len(x) and np.allclose(line_y, y) else _path(*_thinned(x, down(y)), end)
        marked = kind == "measured" or len(x) == 1
        dots = list(zip(_percent(x, end), down(y).round(1).tolist(), strict=True)) if marked else []
        curves.append(Curve(name, number(float(line_y[-1])), raw, _path(line_x, down(line_y), end), dots))
    rows = [(round(PLOT_PX * (high - tick) / (high - low), 1), _label(tick, high - low)) for tick in ticks]
    columns = [(_percent(np.array([tick]), end)[0], _images(tick)) for tick in _ticks(0, end) if tick <= end]
    shown = np.array([mark for mark in marks if mark <= end], dtype=float)
    return Chart(title, note, curves, rows, columns, _percent(shown, end))


def number(value: float) -> str:
    """Three digits that matter, without an exponent where that can be read: ``0.0412``, ``19.8``, ``2.0e-04``."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.1e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def _smoothed(
    x: NDArray[np.float64], y: NDArray[np.float64], end: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gaussian mean of (n,) points at their own places, or, of many, at `BUCKETS` places spread over them."""
    at = x if len(x) <= BUCKETS else np.linspace(x[0], x[-1], BUCKETS)

    def mean(place: float) -> float:
        away = (x - place) / max(SMOOTH_SHARE * end, 1e-9)
        # The nearest point weighs 1, so that the weights are not all zero where points are far between.
        weights = np.exp(-0.5 * (away**2 - (away**2).min()))
        return float(weights @ y / weights.sum())

    return at, np.array([mean(place) for place in at])


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of many points, the lowest and the highest of each bucket, in their order: what is left out lies between."""
    if len(x) <= 2 * BUCKETS:
        return x, y
    kept: list[int] = []
    for bucket in np.array_split(np.arange(len(x)), BUCKETS):
        kept += sorted({int(bucket[y[bucket].argmin()]), int(bucket[y[bucket].argmax()])})
    return x[kept], y[kept]


def _range(
    curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], *, from_zero: bool
) -> tuple[float, float]:
    """Of the drawn lines and nearly all raw points."""
    values = [0.0] if from_zero else []
    for raw, line in curves:
        if len(line) != len(raw) or not np.array_equal(raw, line):
            raw = np.quantile(raw, [0.01, 0.99])
        values += [float(raw.min()), float(raw.max()), float(line.min()), float(line.max())]
    low, high = min(values, default=0.0), max(values, default=0.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5) if low else (0.0, 1.0)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers, evenly spaced, the first not above ``low`` and the last not below ``high``."""
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def _path(x: NDArray[np.float64], y: NDArray[np.float64], end: int) -> str:
    """Straight lines from point to point."""
    across = (PLOT_WIDTH * x / end).round(1)
    points = [f"{px:g} {py:g}" for px, py in zip(across, np.clip(y, -PLOT_PX, 2 * PLOT_PX).round(1), strict=True)]
    return "M" + "L".join(points)


def _percent(x: NDArray[np.float64], end: int) -> list[float]:
    shares: list[float] = (LEFT_PERCENT + (RIGHT_PERCENT - LEFT_PERCENT) * x / end).round(2).tolist()
    return shares


def _label(tick: float, span: float) -> str:
    """With as many decimals as tell the ticks of this span apart."""
    if abs(tick) < span * 1e-9:
        return "0"
    if span < 2e-3 or span >= 1e5:
        return f"{tick:.3g}"
    return f"{tick:,.{max(0, 2 - math.floor(math.log10(span)))}f}".rstrip("0").rstrip(".") if span < 10 else f"{tick:g}"


def _images(tick: float) -> str:
    if tick >= 1e6:
        return f"{tick / 1e6:g}M"
    return f"{tick / 1e3:g}k" if tick >= 1e4 else f"{tick:,.0f}"
