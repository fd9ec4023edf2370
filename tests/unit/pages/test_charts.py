"""Curves: axes, smoothing, thinning."""

import re

import numpy as np
import pytest

from translate.pages.charts import BUCKETS, LEFT_PERCENT, PLOT_PX, PLOT_WIDTH, RIGHT_PERCENT, Series, chart, number


def points(path):
    return [tuple(float(n) for n in point.split()) for point in re.split("[ML]", path)[1:]]


def draw(series, end=1000, kind="exact", *, from_zero=True, marks=()):
    return chart("title", "note", series, end=end, kind=kind, from_zero=from_zero, marks=marks)


def test_axes_and_points_agree():
    drawn = draw([Series("loss", [0, 500, 1000], [4.0, 1.0, 2.0])])
    assert [label for _, label in drawn.rows] == ["0", "1", "2", "3", "4"]
    assert drawn.rows[0] == (PLOT_PX, "0")
    assert drawn.rows[-1] == (0, "4")
    assert drawn.columns == [(LEFT_PERCENT, "0"), (33.0, "250"), (54.0, "500"), (75.0, "750"), (RIGHT_PERCENT, "1,000")]
    assert points(drawn.curves[0].line) == [(0, 0), (PLOT_WIDTH / 2, 0.75 * PLOT_PX), (PLOT_WIDTH, PLOT_PX / 2)]
    assert drawn.curves[0].last == "2.00"


@pytest.mark.parametrize(("values", "labels"), [
    ([0.0, 4e-4], ["0", "0.0001", "0.0002", "0.0003", "0.0004"]),
    ([-30.0, 8.0], ["-30", "-20", "-10", "0", "10"]),
    ([0.0, 1.5], ["0", "0.5", "1", "1.5"]),
    ([1.5, 0.0, 260_000.0], ["0", "1e+05", "2e+05", "3e+05"]),
    ([0.0, 0.0], ["0", "0.25", "0.5", "0.75", "1"]),
])
def test_labels_are_round(values, labels):
    assert [label for _, label in draw([Series("x", range(len(values)), values)], end=5).rows] == labels


def test_a_scale_need_not_show_zero():
    drawn = draw([Series("psnr", [1, 2], [18.2, 19.8])], kind="measured", from_zero=False)
    assert [label for _, label in drawn.rows] == ["18", "18.5", "19", "19.5", "20"]
    assert len(drawn.curves[0].dots) == 2


@pytest.mark.parametrize("constant", [0.0, 3.0, -2.5])
def test_constant_values_are_inside(constant):
    drawn = draw([Series("x", [1, 2], [constant] * 2)], from_zero=False)
    assert all(0 <= y <= PLOT_PX for _, y in points(drawn.curves[0].line))


def test_one_point_is_a_dot():
    [curve] = draw([Series("x", [1000], [1.0])], kind="noisy").curves
    assert curve.dots == [(RIGHT_PERCENT, 0.0)]
    assert curve.raw == ""


def test_few_points_are_left_as_they_are():
    values = [3.0, 1.0, 2.0, 1.5, 1.0]
    [curve] = draw([Series("x", [200, 400, 600, 800, 1000], values)], kind="noisy").curves
    assert [y for _, y in points(curve.line)] == pytest.approx([PLOT_PX * (1 - v / 3) for v in values], abs=0.1)


def test_smoothing_finds_the_curve_under_the_noise():
    images = np.arange(1, 3001) * 10
    truth = 1 + np.exp(-images / 10_000)
    noisy = truth + np.random.default_rng(0).normal(0, 0.3, len(images))
    drawn = draw([Series("x", images.tolist(), noisy.tolist())], end=30_000, kind="noisy")
    top = float(drawn.rows[-1][1])
    line = np.array(points(drawn.curves[0].line))
    assert len(line) == BUCKETS
    found, wanted = top * (1 - line[:, 1] / PLOT_PX), 1 + np.exp(-line[:, 0] * 30 / 10_000)
    assert np.abs(found - wanted)[5:-5].max() < 0.08


def test_thinning_keeps_the_extremes():
    values = np.random.default_rng(0).uniform(1, 2, 10_000)
    values[3333] = 0.25
    drawn = draw([Series("x", range(1, 10_001), values.tolist())], end=10_000, kind="noisy")
    raw = points(drawn.curves[0].raw)
    assert len(raw) <= 2 * BUCKETS
    assert [x for x, _ in raw] == sorted(x for x, _ in raw)
    top = float(drawn.rows[-1][1])
    assert max(y for _, y in raw) == pytest.approx(PLOT_PX * (1 - 0.25 / top), abs=0.2)


def test_a_spike_does_not_set_the_scale():
    values = [1.0] * 999 + [5000.0]
    noisy = np.random.default_rng(0).permutation(values).tolist()
    assert float(draw([Series("x", range(1, 1001), noisy)], kind="noisy").rows[-1][1].replace(",", "")) < 200


def test_what_is_not_finite_is_left_out():
    drawn = draw([Series("x", [1, 2, 3], [1.0, float("nan"), float("inf")]), Series("gone", [1], [float("nan")])])
    assert [(curve.name, curve.last) for curve in drawn.curves] == [("x", "1.00")]


def test_marks_beyond_the_end_are_not_drawn():
    assert draw([Series("x", [1], [1.0])], marks=[500, 1001]).marks == [54.0]


@pytest.mark.parametrize(("value", "shown"), [
    (0, "0"), (0.0957, "0.0957"), (1.2, "1.20"), (19.84, "19.8"), (12345.6, "12,346"), (6.04e-6, "6.0e-06"),
    (-0.4, "-0.400"), (float("nan"), "-"),
])
def test_number(value, shown):
    assert number(value) == shown
