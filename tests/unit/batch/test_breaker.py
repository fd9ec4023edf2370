"""The breaker: one image's trouble is recorded, a store's trouble ends the run."""

import pytest

from translate.batch.breaker import IN_A_ROW, Breaker
from translate.errors import AccessError, UnavailableError
from translate.records.ledger import unhappy
from translate.records.manifest import Item


def entry(name: str, code: str):
    return unhappy(Item(f"{name}.png", "e", 1, f"{name}.png", "png"), "failed", code, f"why {name}")


def passed(breaker, *codes):
    """Keys that are certain, after each entry."""
    return [
        "".join(one.key[0] for one in breaker.passed(entry(name, code)))
        for name, code in zip("abcdefgh", codes, strict=False)
    ]


BAD, REFUSED, AWAY = "input.truncated", "store.access", "store.unavailable"


def test_what_is_no_store_s_trouble_passes_at_once():
    assert passed(Breaker(), BAD, BAD, "store.integrity", BAD) == ["a", "b", "c", "d"]


def test_one_that_is_refused_waits_for_one_that_is_not():
    assert passed(Breaker(), BAD, REFUSED, AWAY, BAD, REFUSED, BAD) == ["a", "", "", "bcd", "", "ef"]


def test_at_the_end_they_are_their_own_trouble():
    breaker = Breaker()
    assert passed(breaker, BAD, REFUSED, AWAY) == ["a", "", ""]
    assert [one.key for one in breaker.rest()] == ["b.png", "c.png"]
    assert breaker.rest() == []


@pytest.mark.parametrize(("code", "error"), [(REFUSED, AccessError), (AWAY, UnavailableError)])
def test_a_few_in_a_row_end_the_run(code, error):
    breaker = Breaker()
    assert passed(breaker, BAD, *[code] * (IN_A_ROW - 1)) == ["a"] + [""] * (IN_A_ROW - 1)
    with pytest.raises(error, match=r"refused 3 images in a row; the last: why z") as raised:
        breaker.passed(entry("z", code))
    assert raised.value.exit_code == 4


def test_they_are_counted_over_several_units():
    breaker = Breaker()
    for name in "ab":
        breaker.passed(entry(name, REFUSED))
        breaker.rest()
    with pytest.raises(AccessError):
        breaker.passed(entry("c", REFUSED))
