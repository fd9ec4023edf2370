"""The short form of the chaos tests: a few seeds at a small scale. The long one is `make chaos`."""

from __future__ import annotations

import pytest

from tests.chaos import schedule
from tests.chaos.trial import Laboratory

pytestmark = [pytest.mark.s3, pytest.mark.timeout(900)]
IMAGES = 120
LOCAL_SEEDS = (12, 22)
"""A driver killed while the store is busy by turns; a server killed, and a clock that is off for a while."""
RAY_SEEDS = (3, 7)


@pytest.fixture(scope="module")
def laboratory():
    with Laboratory(IMAGES, timeout_s=300) as opened:
        yield opened


def sound(trial):
    print(trial.line())
    assert trial.violations == [], trial.line()
    assert trial.faults, "nothing befell it"
    assert {kill.kind for kill in trial.schedule.kills} & set(trial.kills), "nobody was killed"


def test_the_seeds_hit_what_they_are_here_for():
    plans = [schedule.make(seed, IMAGES, "local") for seed in LOCAL_SEEDS]
    assert {kill.kind for plan in plans for kill in plan.kills} == {"driver", "server"}
    assert {window.kind for plan in plans for window in plan.faults.windows} >= {"slow_down", "skewed", "down"}
    assert {kind for plan in plans for kind in plan.faults.rates} >= {"reset", "short", "stall", "lost_ack", "corrupt"}


def test_a_seed_is_one_schedule():
    assert schedule.make(5, IMAGES) == schedule.make(5, IMAGES)
    assert schedule.make(5, IMAGES) != schedule.make(6, IMAGES)
    plans = [schedule.make(seed, 2000) for seed in range(30)]
    assert {plan.executor for plan in plans} == {"local", "ray"}
    assert {kill.kind for plan in plans for kill in plan.kills} == {"actor", "driver", "terminate", "server"}
    assert all(plan.kills for plan in plans)
    assert any(plan.faults.careless for plan in plans)


@pytest.mark.parametrize("seed", LOCAL_SEEDS)
def test_a_seed_on_one_machine(laboratory, seed):
    sound(laboratory.try_seed(seed, "local"))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("seed", RAY_SEEDS)
def test_a_seed_on_ray(laboratory, seed):
    sound(laboratory.try_seed(seed, "ray"))
