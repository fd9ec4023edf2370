"""How many workers were asked for, and what each gets: ``--workers`` and ``--gpus-per-worker``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from translate.errors import UsageError


@dataclass(frozen=True, slots=True)
class Workers:
    """Bounds of the number of workers at once; picklable."""

    least: int | None = None
    """The least number of workers; None: the executor decides."""
    most: int | None = None
    """The largest number of workers, equal to ``least`` for a fixed number; None: as many as there is room for."""
    gpus_each: float = 0.0
    """GPUs of each worker, also a part of one; 0: it computes on processors."""

    @property
    def are_several(self) -> bool:
        """Whether more than one worker, or one with a GPU of its own, was asked for: what one process cannot give."""
        return (self.most or self.least or 1) > 1 or self.gpus_each > 0


def parse_workers(text: str | None, gpus_each: float = 0.0) -> Workers:
    """``"4"`` (a fixed number), ``"2-16"`` (bounds) or None (the executor decides). Raises `UsageError`."""
    if not 0 <= gpus_each < math.inf or (gpus_each > 1 and gpus_each % 1):
        raise UsageError(f"--gpus-per-worker must be a whole number, or a part of one such as 0.5; got {gpus_each:g}")
    if text is None:
        return Workers(gpus_each=gpus_each)
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text)
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= least <= most:
        raise UsageError("--workers must be a number of at least 1, or bounds such as 2-16, the lower one first; "
                         f"got {text!r}")
    return Workers(least, most, gpus_each)
