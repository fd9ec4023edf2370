"""One line of what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    """``warning``: it works, but slower or with less protection. ``problem``: something will not work."""
    what: str
    """A word or two, the same on every machine: ``memory``, ``store clock``."""
    found: str
    do: str = ""
    """What to do about it; empty if it is ok."""
