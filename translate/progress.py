"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of progress; reported as often as convenient, shown at the listener's pace."""

    done: int
    """Units finished so far, this time and before."""
    total: int | None
    """Units in all, None if not known yet."""
    unit: str
    """What is counted, e.g. ``images``."""
    note: str = ""
    """A few words beside the bar, e.g. ``3 failed``."""


Listener = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """The listener that does nothing."""
    del progress


def duration(seconds: float) -> str:
    """A duration in words: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(per_second: float) -> str:
    """A rate with three digits that matter, also where the work is slow: ``0.042``, ``1.38``, ``25``."""
    return f"{per_second:.0f}" if per_second >= 100 else f"{per_second:#.3g}".rstrip(".")
