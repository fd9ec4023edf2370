"""When the next retraining is due: by a cron expression, or because enough new images have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronsim import CronSim

if TYPE_CHECKING:
    from datetime import datetime

    from translate.config import Retraining


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a retraining is due, and why or why not."""

    due: bool
    words: str
    """``500 of 500 new images``, ``next at 2026-11-29 03:00 UTC, 12 of 500 new images`` ..."""
    next_at: datetime | None
    """The first time of the schedule after the last retraining: in the past if it is due. None: there is no schedule,
    or no retraining yet."""


def is_due(config: Retraining, last: datetime | None, new_images: int, now: datetime) -> Due:
    """Decide.

    ``last``: when the last retraining began, UTC, however it ended; None: there was none, so one is due.
    ``new_images``: how many images that one did not know. A retraining that was refused is the last one, too: the same
    images would be refused again, at once and for ever.
    """
    if last is None:
        return Due(due=True, words="there was no retraining here yet", next_at=None)
    next_at = None if config.schedule is None else next_time(config.schedule, last)
    by_time = next_at is not None and next_at <= now
    by_images = config.new_images is not None and new_images >= config.new_images
    parts = []
    if next_at is not None:
        parts.append(f"{'scheduled for' if by_time else 'next at'} {next_at:%Y-%m-%d %H:%M} UTC")
    if config.new_images is not None:
        parts.append(f"{new_images:,} of {config.new_images:,} new images")
    words = ", ".join(parts) or "the pipeline's retraining names neither schedule nor new_images, so it never is"
    return Due(by_time or by_images, words, next_at)


def next_time(schedule: str, after: datetime) -> datetime:
    """The first time of a cron expression after a moment; both UTC."""
    return next(CronSim(schedule, after))
