"""How long a planned job will take, from what was measured before or from one image now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from translate.batch import stages
from translate.batch.history import read_summaries
from translate.errors import ItemError
from translate.progress import rate

if TYPE_CHECKING:
    from translate.batch.job import Prepared

TRIES = 5
"""Images looked at until one can be translated."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected time and what it rests on."""

    seconds: float | None
    """None if nothing could be measured."""
    basis: str


def estimate(prepared: Prepared) -> Estimate:
    """Expected wall time of a prepared job; writes nothing."""
    images = prepared.left
    if images == 0:
        return Estimate(0.0, "nothing to do")
    for summary in read_summaries(prepared.job.output):
        if summary.work_digest == prepared.task.work.digest and summary.images_per_second:
            return Estimate(
                images / summary.images_per_second,
                f"{rate(summary.images_per_second)} images/s in run {summary.run}",
            )
    for item in islice(prepared.plan.items(), TRIES):
        start = time.perf_counter()
        try:
            data = stages.get(prepared.job.source, item)
            picture = stages.decode(data, prepared.task.limits, prepared.task.frames)
            picture = stages.translate(picture, prepared.engine, prepared.task.work)
            mark = stages.mark_of(data, prepared.task.work)
            stages.encode(picture, item.format, prepared.task.work.quality, mark)
        except ItemError:
            continue
        seconds = time.perf_counter() - start
        return Estimate(images * seconds, f"{seconds:.2g} s for one image ({item.key!r}), measured now")
    return Estimate(None, f"none of the first {min(images, TRIES)} images could be translated")
