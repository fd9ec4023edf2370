import pytest

from translate.training.schedules import ema_decay, learning_rate


@pytest.mark.parametrize(("seen", "rate"), [(0, 1.0), (499, 1.0), (500, 1.0), (750, 0.5), (1000, 0.0), (1200, 0.0)])
def test_constant_then_linear_to_zero(seen, rate):
    assert learning_rate(seen, 1000, base=1.0, warmup_images=0, decay_from=0.5) == pytest.approx(rate)


def test_warmup_rises_linearly():
    assert learning_rate(49, 1000, base=2.0, warmup_images=100, decay_from=1.0) == pytest.approx(1.0)


def test_the_average_halves_its_past_every_half_life():
    late = 10**6
    assert ema_decay(1000, 1000, late) == pytest.approx(0.5)
    assert ema_decay(500, 1000, late) ** 2 == pytest.approx(0.5)


def test_the_average_forgets_its_start():
    assert ema_decay(4, 1000, 4) < 0.01
