"""Words for durations and rates."""

import pytest

from translate.progress import duration, rate


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_duration(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("per_second", "words"), [(0.0417, "0.0417"), (0.5, "0.500"), (1.384, "1.38"), (25.0, "25.0"), (140.4, "140")])
def test_slow_work_has_a_rate_too(per_second, words):
    assert rate(per_second) == words
