"""Retrainings by a schedule, in one process that runs for months.

What has been done stands in the journal beside the retrainings, never in this process: whether one is due is asked of
it again at each look, so that after a restart nothing is lost, and of any number of times that were missed only one
retraining comes. Two schedules of one pipeline are kept apart by the retraining's own lease.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from translate.errors import LockedError, TranslateError, UsageError
from translate.retraining.due import next_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from translate.config import Retraining
    from translate.retraining.retrain import Outcome

LOOK_EVERY = timedelta(minutes=15)
"""Between two looks at whether enough new images have come, or whether another retraining has ended."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""After a failure; twice as long after each that follows."""
SLICE_S = 30.0
"""Longest sleep: the clock is looked at again, as it may be set, or the machine suspended."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at whether a retraining is due, and what came of it."""

    result: Outcome | TranslateError
    next_at: datetime
    """The next look, UTC."""


def keep_schedule(
    attempt: Callable[[], Outcome],
    config: Retraining,
    report: Callable[[Look], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Look now, and again whenever a retraining may be due; ends by an exception alone, such as that of a signal.

    ``attempt`` retrains if it is due, see `translate.retraining.retrain.retrain`; what it raises of `TranslateError` is
    reported and tried again, after a pause that grows, and at the next time of the schedule at the latest. ``now``
    (UTC) and ``sleep`` (seconds) are the clock. Raises `UsageError` for a pipeline that is never due.
    """
    refuse_never(config)
    failures = 0
    while True:
        try:
            result: Outcome | TranslateError = attempt()
            failures = 0
        except TranslateError as error:
            result = error
            failures = 0 if isinstance(error, LockedError) else failures + 1
        next_at = next_look(config, result, failures, now())
        report(Look(result, next_at))
        while (left := next_at - now()) > timedelta():
            sleep(min(left.total_seconds(), SLICE_S))


def next_look(config: Retraining, result: Outcome | TranslateError, failures: int, now: datetime) -> datetime:
    """When to look again after a result, the last of so many failures in a row: at the next time of the schedule, or
    before it if something else can change."""
    times = []
    if config.schedule is not None:
        times.append(next_time(config.schedule, now))
    if failures:
        times.append(now + min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE))
    elif isinstance(result, LockedError) or config.new_images is not None:
        times.append(now + LOOK_EVERY)
    return min(times)


def refuse_never(config: Retraining) -> None:
    """Raise `UsageError` if there is nothing that could make a retraining due."""
    if config.schedule is None and config.new_images is None:
        raise UsageError("the pipeline's retraining is never due: give it a schedule (cron, e.g. '0 3 * * sun') or "
                         "new_images under `retraining:`")
