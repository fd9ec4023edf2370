"""Words for durations."""

import pytest

from translate.progress import duration


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_duration(seconds, words):
    assert duration(seconds) == words
