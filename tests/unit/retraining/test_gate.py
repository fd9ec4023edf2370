"""The gate, on evaluations made by hand: better, equal, noise, worse in one."""

import random

import pytest

from translate.config import Gate
from translate.metrics.contract import find, gated
from translate.retraining.gate import Scores, judge

USUAL = {"kid": 0.05, "layer_distance": 1.3, "l1": 0.05, "ssim": 0.7, "edge_agreement": 0.8, "luma_correlation": 0.9,
         "droplets_percent": 0.1, "checkerboard_db": -1.0, "sharpness_ratio": 0.8, "chroma_ratio": 1.2,
         "brightness_change_levels": 4.0}
NOTHING = Scores(model="doing nothing", values=USUAL | {"kid": 0.2, "layer_distance": 1.5},
                 halves={name: (value,) * 20 for name, value in (USUAL | {"kid": 0.2, "layer_distance": 1.5}).items()})


def scores(model, noise=0.0, seed=0, **values):
    """Figures whose halves scatter by ``noise`` of their value."""
    chance = random.Random(seed)
    found = USUAL | values
    halves = {name: tuple(value * (1 + noise * chance.gauss(0, 1)) for _ in range(20)) for name, value in found.items()}
    return Scores(model=model, values=found, halves=halves)


def failed(verdict):
    return [each.measure for each in verdict.comparisons if not each.passed]


def test_the_same_model_passes():
    verdict = judge(scores("m@2", noise=0.1), scores("m@1", noise=0.1), NOTHING, Gate())
    assert verdict.passed
    assert verdict.against == "m@1"
    assert [each.measure for each in verdict.comparisons] == [each.name for each in gated()]
    assert verdict.reasons == ("measurably no worse than m@1 in each of 11 measures",)


def test_a_better_one_passes_whatever_the_noise_of_the_figures_themselves():
    """What both have in common is no noise of their difference: the same halves are compared."""
    champion, challenger = scores("m@1", noise=0.5), scores("m@2", noise=0.5, kid=0.04, layer_distance=1.2)
    verdict = judge(challenger, champion, NOTHING, Gate())
    assert verdict.passed
    kid = verdict.comparisons[0]
    assert (kid.challenger, kid.against, kid.margin) == (0.04, 0.05, 0.01)
    assert kid.worse_by == pytest.approx(-0.01, abs=0.003)


@pytest.mark.parametrize(("measure", "value"), [
    ("kid", 0.08), ("layer_distance", 1.4), ("l1", 0.07), ("ssim", 0.6), ("edge_agreement", 0.7),
    ("luma_correlation", -0.9), ("droplets_percent", 0.5), ("checkerboard_db", 4.0), ("sharpness_ratio", 0.5),
    ("chroma_ratio", 1.5), ("brightness_change_levels", 20.0),
])
def test_worse_in_one_is_refused_by_its_name(measure, value):
    verdict = judge(scores("m@2", **{measure: value}), scores("m@1"), NOTHING, Gate())
    assert not verdict.passed
    assert failed(verdict) == [measure]
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(find(measure).title)
    assert "worse is allowed" in verdict.reasons[0]
    assert "too few images" not in verdict.reasons[0]


def test_within_the_margin_is_no_worse():
    challenger = scores("m@2", kid=0.059)
    assert judge(challenger, scores("m@1"), NOTHING, Gate()).passed
    assert not judge(challenger, scores("m@1"), NOTHING, Gate(margins={"kid": 0.008})).passed


def test_noise_is_never_taken_for_no_worse():
    """Differences of other halves each: on average about none, but who can tell."""
    challenger, champion = scores("m@2", noise=0.4, seed=1), scores("m@1", noise=0.4, seed=2)
    verdict = judge(challenger, champion, NOTHING, Gate())
    kid = verdict.comparisons[0]
    assert abs(kid.worse_by) < kid.margin < kid.at_most
    assert not verdict.passed
    assert "too few images to tell: hold out more" in verdict.reasons[0]
    assert judge(challenger, champion, NOTHING, Gate(spreads=0.0)).comparisons[0].passed


def test_less_checkerboard_than_pictures_have_is_no_better():
    verdict = judge(scores("m@2", checkerboard_db=-0.2), scores("m@1", checkerboard_db=-9.0), NOTHING, Gate())
    assert verdict.passed
    assert {each.measure: each.worse_by for each in verdict.comparisons}["checkerboard_db"] == 0


def test_without_answers_there_is_nothing_paired_to_compare():
    def unpaired(each):
        kept = {name: each.halves[name] for name in each.halves if name not in ("layer_distance", "l1", "ssim")}
        return each.model_copy(update={"halves": kept})

    verdict = judge(unpaired(scores("m@2")), unpaired(scores("m@1")), NOTHING, Gate())
    assert [each.measure for each in verdict.comparisons] == [
        each.name for each in gated() if each.against != "answer"]


@pytest.mark.parametrize(("values", "passes"), [
    ({}, True),
    ({"kid": 0.5}, True),
    ({"layer_distance": 2.0}, True),
    ({"kid": 0.5, "layer_distance": 2.0}, False),
    ({"kid": 0.2, "layer_distance": 1.5}, False),
])
def test_the_first_model_has_to_beat_doing_nothing(values, passes):
    verdict = judge(scores("m@1", **values), None, NOTHING, Gate())
    assert verdict.passed is passes
    assert verdict.against == "doing nothing"
    assert verdict.reasons[0] == ("there is no champion, and it beats doing nothing" if passes
                                  else "there is no champion, and it does not beat doing nothing")
    assert [each.measure for each in verdict.comparisons] == ["kid", "layer_distance"]
