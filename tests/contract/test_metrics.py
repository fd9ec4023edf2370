"""Every metric in the folder: what it declares, and that what it declares is what it does."""

import math
from pathlib import Path

import pytest
import torch
from training_set import picture

from translate.config import Gate, load_pipeline, pipeline_names
from translate.errors import ConfigError, UnknownNameError
from translate.images.tensors import to_tensor
from translate.metrics import contract
from translate.metrics.contract import Distance, OfImages, OfSets, Seen
from translate.models.features import open_features
from translate.retraining.gate import check_margins
from translate.training.resolve import resolve_training
from translate.training.selection import check_best_by

README = Path(contract.__file__).with_name("README.md").read_text(encoding="utf-8")
SIDE = 64
EVERY = [pytest.param(measure, id=measure.name) for measure in contract.measures()]


@pytest.fixture(scope="module")
def judge():
    return open_features("mobilenet-v2")


@pytest.fixture(scope="module")
def images(judge):
    """Two domains of six pictures each, judged."""
    def seen(pixels):
        image = to_tensor(pixels).unsqueeze(0)
        with torch.no_grad():
            return Seen(image, judge(image))

    return [[seen(picture(first + i, SIDE)) for i in range(6)] for first in (0, 10)]


def value_of(measure, outputs, others):
    """The figure of outputs that are compared with others."""
    if isinstance(measure, OfImages):
        values = [measure.value(output, other) for output, other in zip(outputs, others, strict=True)]
        assert all(value.shape == (1,) for value in values)
        return sum(map(float, values)) / len(values)
    assert isinstance(measure, OfSets)
    rows, other_rows = (torch.cat([measure.row(image) for image in images]) for images in (outputs, others))
    assert len(rows) == len(outputs)
    return measure.value(rows, other_rows)


def test_the_folder_is_the_list():
    assert {"artefacts", "content", "fid", "kid", "paired"} <= set(contract.metrics())
    assert not {"contract", "evaluate", "record", "subsets", "tally"} & set(contract.metrics())
    names = [measure.name for measure in contract.measures()]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(each.name for metric in contract.metrics() for each in contract.measures_of(metric))


@pytest.mark.parametrize("measure", EVERY)
def test_it_says_what_people_need(measure):
    assert measure.name == measure.name.lower()
    assert "-" not in measure.name, "what follows a - is the judge's name"
    assert measure.title
    assert measure.note
    assert not measure.note.endswith(".")
    assert f"`{measure.name}`" in README, "the README of the folder lists every measure"
    assert contract.find(measure.name) is contract.find(f"{measure.name}-some-judge") is measure


@pytest.mark.parametrize("measure", EVERY)
def test_it_keeps_to_its_kind(measure):
    assert measure.margin is None or measure.margin > 0
    if isinstance(measure, OfSets):
        assert measure.against in ("source", "target"), "a set has no single answer"
    if isinstance(measure, Distance):
        assert (measure.against, measure.judge) == ("target", True)
    if measure.decisive:
        assert measure.better == "lower", "the best snapshot is the lowest"
        assert measure.margin is not None, "the gate compares it"
        assert not measure.on_request


@pytest.mark.parametrize("measure", EVERY)
def test_it_is_a_finite_number_whatever_it_compares(measure, images):
    mine, others = images
    assert math.isfinite(value_of(measure, mine, others))
    flat = [Seen(torch.zeros_like(image.image), image.features) for image in mine]
    assert math.isfinite(value_of(measure, flat, others))
    if measure.margin is not None:
        assert math.isfinite(value_of(measure, mine, flat)), "the gate can't compare it otherwise"


@pytest.mark.parametrize("measure", EVERY)
def test_without_the_judge_only_those_work_that_need_none(measure, images):
    mine, others = ([Seen(image.image, None) for image in each] for each in images)
    if measure.judge:
        with pytest.raises(AssertionError, match="judge=True"):
            value_of(measure, mine, others)
    else:
        value_of(measure, mine, others)


@pytest.mark.parametrize("measure", [each for each in EVERY if each.values[0].against != "itself"])
def test_nothing_is_better_than_what_it_is_compared_with(measure, images):
    """The direction is the right one: an output that is what it is compared with is no worse than another picture."""
    mine, others = images
    same, different = value_of(measure, others, others), value_of(measure, mine, others)
    assert measure.badness(same) <= measure.badness(different) + 1e-6


@pytest.mark.parametrize("name", pipeline_names())
def test_shipped_pipelines_name_measures_that_there_are(name):
    pipeline = load_pipeline(name)
    check_margins(pipeline.retraining.gate)
    if pipeline.training is not None:
        check_best_by(pipeline.training)


def test_names_that_are_no_measure_are_refused():
    with pytest.raises(UnknownNameError, match=r"in retraining\.gate\.margins 'kidd'.*Did you mean 'kid'"):
        check_margins(Gate(margins={"kidd": 0.1}))
    by_answers = ["train.evaluation={every_images: 100, best_by: layer_distance}"]
    pipeline = resolve_training("sketch2object", by_answers, None)
    assert pipeline.training.evaluation.best_by == "layer_distance"
    with pytest.raises(ConfigError, match=r"best_by is 'ssim', .* with pairs can be chosen; give kid or layer_d"):
        resolve_training("sketch2object", ["train.evaluation={every_images: 100, best_by: ssim}"], None)
    with pytest.raises(ConfigError, match=r"best_by is 'layer_distance', .* without pairs can be chosen; give kid$"):
        resolve_training("flat2render", by_answers, None)


def test_badness():
    def measure(**options):
        return contract.Measure(name="m", title="m", note="m", against="itself", **options)

    assert measure(better="lower").badness(-3.0) == -3.0
    assert measure(better="lower", good_enough=0.0).badness(-3.0) == 0.0
    assert measure(better="higher").badness(0.25) == -0.25
    assert measure(better="near 1").badness(0.75) == measure(better="near 1").badness(1.25) == 0.25
