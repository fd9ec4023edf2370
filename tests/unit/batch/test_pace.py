"""How many images are in hand: Little's law on measured times."""

from translate.batch.pace import LEAST_READY, MOST, RECENT, Pace


def after(networks: int, *images: dict[str, float]) -> int:
    pace = Pace(networks)
    for ms in images:
        pace.note(ms)
    return pace.wanted


def took(translate: float, outside: float) -> dict[str, float]:
    return {"get": outside / 2, "decode": outside / 4, "translate": translate, "encode": 0.0, "put": outside / 4}


def test_before_anything_is_known():
    assert Pace(1).wanted == 2 + LEAST_READY
    assert Pace(100).wanted == MOST, "never more than there are threads"


def test_as_many_more_as_fit_an_image_s_time_outside_into_its_time_inside():
    assert after(1, took(200, 20)) == 2 + LEAST_READY
    assert after(1, took(200, 1000)) == 6 + LEAST_READY
    assert after(2, took(200, 1000)) == 12 + LEAST_READY


def test_a_network_of_no_time_has_all_threads():
    assert after(1, took(0, 20)) == MOST
    assert after(1, took(0.1, 20)) == MOST


def test_the_slow_ones_count_and_what_is_long_past_does_not():
    images = [took(100, 10)] * (RECENT - 4) + [took(100, 700)] * 4
    assert after(1, *images) == 8 + LEAST_READY
    assert after(1, *images, *[took(100, 10)] * RECENT) == 2 + LEAST_READY


def test_one_image_of_a_store_s_bad_moment_is_not_everybody_s_pace():
    assert after(1, *[took(100, 10)] * (RECENT - 1), took(100, 60_000)) == 2 + LEAST_READY
