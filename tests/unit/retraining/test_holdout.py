"""The held-out images: the same from version to version."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from translate.config import Holdout
from translate.retraining.holdout import is_held_out

NAMES = st.text(min_size=1, max_size=40)


@given(name=NAMES, low=st.floats(0.01, 0.5), more=st.floats(0.0, 0.49))
def test_a_larger_share_keeps_what_was_held_out(name, low, more):
    assert is_held_out(name, Holdout(share=low + more)) or not is_held_out(name, Holdout(share=low))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_about_the_share_is_held_out(share):
    held = sum(is_held_out(f"photos/2026/{i:06d}", Holdout(share=share)) for i in range(20_000))
    assert held / 20_000 == pytest.approx(share, abs=0.01)


def test_another_key_is_another_set():
    names = [f"{i}" for i in range(1000)]
    one, other = ([is_held_out(name, Holdout(share=0.5, key=key)) for name in names] for key in ("translate", "other"))
    assert 400 < sum(x == y for x, y in zip(one, other, strict=True)) < 600


def test_the_rule_is_that_of_earlier_versions():
    """Written down when it was made: another rule would train on what earlier models were judged by."""
    assert [name for name in map(str, range(40)) if is_held_out(name, Holdout())] == HELD_OUT_OF_40


HELD_OUT_OF_40 = ["5", "6", "8", "11", "21", "34", "39"]
