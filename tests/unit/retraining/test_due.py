"""When a retraining is due."""

from datetime import UTC, datetime

import pytest

from translate.config import Retraining, validate
from translate.errors import ConfigError
from translate.retraining.due import is_due

SUNDAY = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
WEEKLY = Retraining(schedule="0 3 * * sun")


def at(day, hour=0, month=11):
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize("config", [Retraining(), WEEKLY, Retraining(new_images=500)])
def test_the_first_one_is_always_due(config):
    assert is_due(config, None, 0, at(22)).due


def test_the_schedule_counts_from_the_last_one():
    waiting = is_due(WEEKLY, SUNDAY, 0, at(29, 2))
    assert (waiting.due, waiting.words, waiting.next_at) == (False, "next at 2026-11-29 03:00 UTC", at(29, 3))
    due = is_due(WEEKLY, SUNDAY, 0, at(29, 3))
    assert (due.due, due.words) == (True, "scheduled for 2026-11-29 03:00 UTC")


def test_many_missed_times_are_one():
    """Four Sundays passed; after the one that makes up for them none is due until the next."""
    assert is_due(WEEKLY, SUNDAY, 0, at(21, 12, month=12)).due
    assert not is_due(WEEKLY, at(21, 12, month=12), 0, at(26, 12, month=12)).due


def test_enough_new_images_are_a_reason_before_the_time():
    config = Retraining(schedule="0 3 * * sun", new_images=500)
    waiting = is_due(config, SUNDAY, 12, at(23))
    assert (waiting.due, waiting.words) == (False, "next at 2026-11-29 03:00 UTC, 12 of 500 new images")
    assert is_due(config, SUNDAY, 500, at(23)).due


def test_one_that_names_nothing_says_so():
    waiting = is_due(Retraining(), SUNDAY, 10_000, at(29))
    assert (waiting.due, waiting.next_at) == (False, None)
    assert "names neither schedule nor new_images" in waiting.words


@pytest.mark.parametrize("expression", ["every night", "0 3 * *", "0 25 * * *", "0 0 31 2 *"])
def test_what_is_no_cron_expression_is_told_when_the_pipeline_is_read(expression):
    with pytest.raises(ConfigError, match=r"schedule: must be a cron expression such as '0 3 \* \* sun'"):
        validate(Retraining, {"schedule": expression}, "here")
