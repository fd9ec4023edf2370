"""The loop of a schedule, with a clock that goes as fast as it is slept by; due is decided as in earnest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from translate.config import Retraining
from translate.errors import LockedError, StoreError, TrainingError, UsageError
from translate.retraining.due import is_due
from translate.retraining.retrain import Outcome
from translate.retraining.schedule import FIRST_PAUSE, LONGEST_PAUSE, LOOK_EVERY, SLICE_S, Look, keep_schedule

START = datetime(2026, 11, 4, 12, 30, tzinfo=UTC)
NIGHTLY = Retraining(schedule="0 3 * * *")


class Stopped(BaseException):
    """As a signal ends the loop."""


class World:
    """A clock, a journal of retrainings, and what goes wrong."""

    def __init__(self, config: Retraining, last: datetime | None, until: datetime) -> None:
        self.config, self.last, self.until = config, last, until
        self.time = START
        self.new_images = 0
        self.trouble: list[Exception] = []
        self.takes = timedelta(minutes=40)
        self.begun: list[datetime] = []
        self.looks: list[tuple[datetime, Look]] = []
        self.longest_sleep_s = 0.0

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.longest_sleep_s = max(self.longest_sleep_s, seconds)
        self.time += timedelta(seconds=seconds)
        if self.time >= self.until:
            raise Stopped

    def attempt(self) -> Outcome:
        """As `retrain` with ``if_due``."""
        due = is_due(self.config, self.last, self.new_images, self.time)
        if self.trouble:
            raise self.trouble.pop(0)
        if not due.due:
            return Outcome("not_due", (due.words,), None, due, None)
        self.last = self.time
        self.begun.append(self.time)
        self.time += self.takes
        self.new_images = 0
        return Outcome("promoted", ("better",), "id", due, None)

    def run(self) -> None:
        with pytest.raises(Stopped):
            keep_schedule(self.attempt, self.config, lambda look: self.looks.append((self.time, look)), self.now,
                          self.sleep)


def days(count: float) -> datetime:
    return START + timedelta(days=count)


def test_it_retrains_at_each_time_of_the_schedule_and_sleeps_between():
    world = World(NIGHTLY, last=START - timedelta(hours=1), until=days(3))
    world.run()
    assert world.begun == [datetime(2026, 11, day, 3, tzinfo=UTC) for day in (5, 6, 7)]
    assert [look.next_at for _, look in world.looks] == [datetime(2026, 11, d, 3, tzinfo=UTC) for d in (5, 6, 7, 8)]
    assert world.longest_sleep_s <= SLICE_S


def test_three_missed_times_are_made_up_for_once():
    world = World(NIGHTLY, last=START - timedelta(days=3.5), until=days(0.4))
    world.run()
    assert world.begun == [START]


def test_a_restart_in_between_changes_nothing():
    world = World(NIGHTLY, last=START - timedelta(hours=1), until=days(1))
    world.run()
    world.until = days(2)
    world.run()
    assert world.begun == [datetime(2026, 11, day, 3, tzinfo=UTC) for day in (5, 6)]


def test_new_images_are_looked_for_in_between():
    world = World(Retraining(new_images=100), last=START, until=days(0.2))
    world.new_images = 99
    sleep = world.sleep

    def images_come(seconds: float) -> None:
        world.new_images += world.time < START + LOOK_EVERY
        sleep(seconds)

    world.sleep = images_come
    world.run()
    assert world.begun == [START + LOOK_EVERY]


def test_a_failure_is_tried_again_with_growing_pauses_until_it_works():
    world = World(NIGHTLY, last=START - timedelta(days=2), until=days(0.5))
    world.trouble = [StoreError("away")] * 9
    world.run()
    failed = [at for at, look in world.looks if isinstance(look.result, StoreError)]
    pauses = [later - at for at, later in zip(failed, [*failed[1:], world.begun[0]], strict=True)]
    assert pauses == [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(9)]
    assert len(world.begun) == 1


def test_after_a_failure_the_next_time_of_the_schedule_is_not_slept_through():
    world = World(NIGHTLY, last=START, until=days(1))
    world.time = datetime(2026, 11, 5, 2, 59, 30, tzinfo=UTC)
    world.trouble = [TrainingError("not finite")]
    world.run()
    assert world.begun == [datetime(2026, 11, 5, 3, tzinfo=UTC)]


def test_pauses_begin_anew_after_a_success():
    world = World(Retraining(schedule="*/30 * * * *"), last=START - timedelta(hours=1), until=days(0.2))
    world.takes = timedelta(minutes=1)
    away = StoreError("away")
    world.trouble = [away, away, away]
    world.run()
    world.trouble, world.looks = [away], []
    world.until += timedelta(hours=1)
    world.run()
    (at, look), *_ = world.looks
    assert look.next_at - at == FIRST_PAUSE


def test_who_loses_to_another_waits_and_looks_again():
    world = World(NIGHTLY, last=START - timedelta(days=2), until=days(0.4))
    world.trouble = [LockedError("another"), LockedError("another")]
    world.run()
    assert [look.next_at - at for at, look in world.looks[:2]] == [LOOK_EVERY, LOOK_EVERY]
    assert world.begun == [START + 2 * LOOK_EVERY]


def test_what_is_no_trouble_of_ours_ends_it():
    world = World(NIGHTLY, last=None, until=days(1))
    world.trouble = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        keep_schedule(world.attempt, NIGHTLY, lambda _: None, world.now, world.sleep)


def test_a_pipeline_that_is_never_due_is_refused():
    with pytest.raises(UsageError, match="never due: give it a schedule"):
        keep_schedule(lambda: pytest.fail("looked"), Retraining(), lambda _: None)
