"""Everything that is wrong with a set is listed."""

from __future__ import annotations

import numpy as np
import pytest
from training_set import picture, png

from translate.config import Data
from translate.datasets.check import check
from translate.errors import DataError
from translate.stores import open_store
from translate.training.data import TrainingData

SIZES = {"short_side_px": (32, 40), "crop_px": 32}
PAIRS = {"kind": "paired", "layout": "side_by_side", "pairs": "train"}


@pytest.fixture
def store(tmp_path):
    store = open_store(str(tmp_path / "data"))
    for i in range(3):
        store.put(f"trainA/{i}.png", png(picture(i)))
        store.put(f"trainB/{i}.png", png(255 - picture(i)))
    return store


def wrong(store, **options):
    checked = check(store, Data(**(SIZES | {"kind": "paired"} | options)))
    return [(finding.code, finding.where) for finding in checked.findings]


def test_nothing_is_wrong(store):
    reports = []
    checked = check(store, Data(**SIZES, kind="paired"), report=reports.append)
    assert checked.findings == []
    assert checked.images == {"a": 3, "b": 3}
    assert (reports[-1].done, reports[-1].total, reports[-1].unit) == (6, 6, "files")


def test_everything_is_found_at_once(store):
    store.put("trainA/page.png", b"<html>not found</html>")
    store.put("trainB/page.png", b"")
    store.put("trainA/cut.png", png(picture(5))[:-300])
    store.put("trainB/cut.png", png(picture(5)))
    store.put("trainA/lonely.png", png(picture(5)))
    store.put("trainB/1.jpg", png(picture(5)))
    store.put("trainA/small.png", png(picture(5, 20)))
    store.put("trainB/small.png", png(picture(5, 48)))
    assert wrong(store) == [
        ("image.too_small", "trainA/small.png"), ("input.empty", "trainB/page.png"),
        ("input.not_an_image", "trainA/page.png"), ("input.truncated", "trainA/cut.png"),
        ("name.duplicate", "trainB/1.png"), ("pair.missing_half", "trainA/lonely.png"),
        ("pair.sizes_differ", "trainA/small.png"),
    ]


def test_unpaired_sizes_may_differ(store):
    store.put("trainA/1.png", png(picture(1, 60)))
    assert wrong(store, kind="unpaired") == []


def test_answers_need_the_size_of_their_image(store):
    store.put("answersB/1.png", png(picture(1, 60)))
    assert wrong(store, kind="unpaired", answers_b="answersB") == [("pair.sizes_differ", "trainB/1.png")]


def test_test_images_are_read_but_may_be_small(store):
    store.put("testA/1.png", png(picture(1, 20)))
    store.put("testA/2.png", b"text")
    assert wrong(store, kind="unpaired", test_a="testA") == [("input.not_an_image", "testA/2.png")]


def test_halves_are_measured_each(store):
    store.put("train/good.png", png(np.hstack([picture(1, 32), picture(2, 32)])))
    store.put("train/odd.png", png(picture(1, 65)))
    store.put("train/small.png", png(picture(1, 48)))
    assert wrong(store, **PAIRS) == [("image.too_small", "train/small.png"), ("pair.sizes_differ", "train/odd.png")]


def test_what_training_refuses_was_found(store):
    """Training lists the set in the same way; sizes it meets on the way."""
    store.delete("trainB/2.png")
    assert wrong(store) == [("pair.missing_half", "trainA/2.png")]
    with pytest.raises(DataError, match=r"trainA/2\.png has no partner"):
        TrainingData(store, Data(**SIZES, kind="paired"), seed=0)
    store.put("trainB/2.png", png(picture(2, 60)))
    assert wrong(store) == [("pair.sizes_differ", "trainA/2.png")]
    with pytest.raises(DataError, match=r"trainA/2\.png is 48 x 48 pixels and its partner trainB/2\.png 60 x 60"):
        TrainingData(store, Data(**SIZES, kind="paired"), seed=0).batch(0, 3)
