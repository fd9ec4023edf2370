"""Quantities that change while a training runs, as functions of images seen."""

from __future__ import annotations


def learning_rate(seen: int, total: int, *, base: float, warmup_images: int, decay_from: float) -> float:
    """Linear rise over ``warmup_images``, constant, then a linear fall that would reach zero at ``total``.

    ``decay_from`` is the share of ``total`` at which the fall begins (0.5 is the schedule of arXiv:1703.10593).
    """
    rise = min(1.0, (seen + 1) / warmup_images) if warmup_images else 1.0
    start = decay_from * total
    fall = 1.0 if seen < start else max(0.0, (total - seen) / (total - start)) if total > start else 1.0
    return base * rise * fall


def ema_decay(images: int, half_life_images: int, seen: int) -> float:
    """Weight that a moving average keeps over a step of ``images``; short at first, so that it forgets its start."""
    half_life = min(half_life_images, max(seen, images) * 0.1)
    return float(0.5 ** (images / max(half_life, 1e-8)))
