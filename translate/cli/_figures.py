"""How measures are shown."""

from __future__ import annotations


def figure(value: float, spread: float | None) -> str:
    """E.g. ``0.0312 ± 0.0021``."""
    return f"{value:.4f}" if spread is None else f"{value:.4f} ± {spread:.4f}"


def better(name: str) -> str:
    """Which way a figure is better, by its name in a record; empty for a measure that there is no more."""
    from translate.metrics.contract import find

    measure = find(name)
    return "" if measure is None else measure.better
