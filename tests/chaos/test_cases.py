"""What people see of each named fault: the exit code, the words, and that nothing was lost.

With ``-s`` every word is printed; `python -m tests.chaos.cases` writes them to a page.
"""

from __future__ import annotations

import pytest

from tests.chaos import cases
from tests.chaos.cases import IMAGES, POISON_KEY, see
from tests.chaos.trial import Laboratory

pytestmark = [pytest.mark.s3, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def laboratory():
    with Laboratory(IMAGES, timeout_s=300) as opened:
        yield opened


@pytest.fixture
def seen(laboratory):
    """Play a case; nothing may be wrong with what it leaves, and nobody sees a traceback."""

    def play(name):
        case = see(laboratory, getattr(cases, name))
        print(case.text())
        assert case.violations == []
        for said in case.said:
            assert "Traceback" not in said.stderr
            assert "fault of the program" not in said.stderr
        return case

    return play


def test_every_case_is_tested():
    here = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {play.__name__ for play in cases.CASES} == here - {"every_case_is_tested"}


@pytest.mark.ray
def test_poison_on_ray(seen):
    case = seen("poison_on_ray")
    (said,) = case.said
    assert said.code == 0, said.stderr
    assert case.codes == {POISON_KEY: "input.poison"}
    assert case.facts["workers killed"] >= 3
    assert "failed: input.poison" in said.stdout
    assert f"{IMAGES - 1} of {IMAGES} images translated" in said.stdout


def test_two_runs_at_once(seen):
    case = seen("two_runs_at_once")
    assert sorted(said.code for said in case.said) == [0, 5]
    (refused,) = (said for said in case.said if said.code == 5)
    assert refused.stderr.startswith("error: another run w")
    assert "s3://" in refused.stderr
    assert "run the same command again" in refused.stderr.lower()


def test_lost_acknowledgement(seen):
    case = seen("lost_acknowledgement")
    (said,) = case.said
    assert said.code == 0, said.stderr
    assert case.facts == {"lost_ack": 3}
    assert f"{IMAGES} of {IMAGES} images translated" in said.stdout


def test_conditions_stripped(seen):
    case = seen("conditions_stripped")
    (said,) = case.said
    assert said.code == 0, said.stderr
    assert case.facts["stripped"] >= 2
    assert "not locked: the output's store does not do conditional writes" in said.stdout


def test_expired_credentials(seen):
    first, second = refused(seen("expired_credentials"))
    assert "answered ExpiredToken: The provided token has expired" in first.stderr
    assert "The credentials have run out: get new ones and run again" in first.stderr
    assert second.code == 0, second.stderr


def test_skewed_clock(seen):
    first, second = refused(seen("skewed_clock"))
    assert "RequestTimeTooSkewed" in first.stderr
    assert "This machine's clock is 3" in first.stderr
    assert "the server's: set the clock" in first.stderr
    assert second.code == 0, second.stderr


def refused(case):
    first, second = case.said
    assert first.code == 4, first.stderr
    assert f"of {IMAGES} images are done and recorded" in first.stderr
    assert "store.access" not in case.codes.values(), "what was not tried is not marked"
    return first, second


def test_stalled_server(seen):
    case = seen("stalled_server")
    (said,) = case.said
    assert said.code == 0, said.stderr
    assert f"{IMAGES} of {IMAGES} images translated" in said.stdout


def test_sigterm(seen):
    first, second = seen("sigterm").said
    assert first.code == 143
    assert f"of {IMAGES} images are done and recorded; the same command resumes with the others" in first.stdout
    assert "stopping: what is in hand is finished and recorded" in first.stderr
    assert second.code == 0, second.stderr
    assert f"{IMAGES} of {IMAGES} images translated" in second.stdout
