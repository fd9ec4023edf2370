"""How long a planned job will take, from what was measured before or from a few images now."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING

from translate.batch.stages import get
from translate.errors import ItemError
from translate.progress import rate
from translate.records.history import read_summaries

if TYPE_CHECKING:
    from translate.batch.run import Prepared
    from translate.records.manifest import Item
    from translate.translation.core import Core

TRIES = 8
"""How many images are tried; those that can't be translated do not count."""
MEASURED = 3
"""How many images are timed, after one that warms up: the first chooses kernels and takes memory."""
ENOUGH_S = 10.0
"""After so many seconds no further image is timed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected time and what it rests on."""

    seconds: float | None
    """Expected wall time; None if nothing could be measured."""
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
    core = prepared.task.core(prepared.engine)
    times: list[float] = []
    for item in islice(prepared.plan.items(), TRIES):
        with suppress(ItemError):
            times.append(_seconds(prepared, core, item))
        if len(times) > MEASURED or sum(times) > ENOUGH_S:
            break
    if not times:
        return Estimate(None, f"none of the first {min(images, TRIES)} images could be translated")
    warm = times[1:] or times
    each_s = fmean(warm) / prepared.engine.concurrency
    return Estimate(images * each_s, f"{each_s:.2g} s an image, by {len(warm)} measured now")


def _seconds(prepared: Prepared, core: Core, item: Item) -> float:
    """Seconds that an image takes on this machine, without getting and putting, which happen at the same time."""
    data = get(prepared.job.source, item)
    start = time.perf_counter()
    core.make(lambda: data, len(data), item.format)
    return time.perf_counter() - start
