"""Which images are evaluated, and what is refused."""

import pytest
from training_set import picture, png

from translate.config import Data
from translate.datasets.evaluation_set import held_out, in_folders, in_pairs
from translate.datasets.layout import Source
from translate.errors import ConfigError, DataError, UsageError
from translate.stores import open_store

SIZES = {"short_side_px": (32, 32), "crop_px": 32}


@pytest.fixture
def store(tmp_path):
    found = open_store(str(tmp_path))
    for key in ("a/1.png", "a/2.png", "b/1.png", "b/3.png", "both/1.png", "both/2.png"):
        found.put(key, png(picture(0, 8)))
    found.put("pairs.csv", b"a,b\na/1.png,b/3.png\na/2.png,b/1.png\n")
    return found


def test_two_folders(store):
    found = in_folders(store, "a", "b", paired=False)
    assert (list(found.sources), list(found.targets), found.pairs) == (["1", "2"], ["1", "3"], False)
    assert (found.source, found.target) == ("a", "b")
    with pytest.raises(DataError, match=r"in 2 place\(s\).*a/2\.png has no partner of the name 2 in b"):
        in_folders(store, "a", "b", paired=True)
    with pytest.raises(DataError, match="c holds 0 images; an evaluation needs at least 1: add some"):
        in_folders(store, "a", "c", paired=False).require(1, "add some")


@pytest.mark.parametrize("paired", [True, False])
def test_one_folder_with_itself_is_refused(store, paired):
    """Of files with two images side by side it would compare the whole with the whole."""
    with pytest.raises(UsageError, match=r"are the same folder, 'both'.* the layout side_by_side"):
        in_folders(store, "both", "both/", paired=paired)


def test_side_by_side(store):
    found = in_pairs(store, "side_by_side", "both", "right")
    assert found.sources == {"1": Source("both/1.png", "right"), "2": Source("both/2.png", "right")}
    assert found.targets == {"1": Source("both/1.png", "left"), "2": Source("both/2.png", "left")}
    assert (found.source, found.target, found.pairs) == ("both, right", "both, left", True)
    with pytest.raises(UsageError, match="with layout side_by_side the source is left or right; got 'testA'"):
        in_pairs(store, "side_by_side", "both", "testA")


def test_a_manifest(store):
    found = in_pairs(store, "manifest", "pairs.csv", "b")
    assert [source.key for source in found.sources.values()] == ["b/3.png", "b/1.png"]
    assert [source.key for source in found.targets.values()] == ["a/1.png", "a/2.png"]
    assert found.sources.keys() == found.targets.keys()
    with pytest.raises(DataError, match=r"gone\.csv is not there"):
        in_pairs(store, "manifest", "gone.csv", "a")


def test_held_out_images_of_a_pipeline(store):
    data = Data(**SIZES, kind="unpaired", test_a="a", test_b="b")
    assert held_out(store, data, "b") == in_folders(store, "b", "a", paired=False)
    data = Data(**SIZES, kind="paired", layout="side_by_side", pairs="train", test_pairs="both", left="b")
    assert held_out(store, data, "a") == in_pairs(store, "side_by_side", "both", "right")
    assert held_out(store, data, "b") == in_pairs(store, "side_by_side", "both", "left")
    data = Data(**SIZES, kind="paired", layout="manifest", pairs="train.csv", test_pairs="pairs.csv")
    assert held_out(store, data, "b") == in_pairs(store, "manifest", "pairs.csv", "b")


@pytest.mark.parametrize(("options", "says"), [
    ({"kind": "unpaired", "test_a": "a"}, "in training.data.test_a and test_b"),
    ({"kind": "paired", "layout": "side_by_side", "pairs": "both"}, "in training.data.test_pairs"),
])
def test_without_held_out_images_it_says_what_to_name(store, options, says):
    with pytest.raises(ConfigError, match=says):
        held_out(store, Data(**SIZES, **options), "a")


def test_too_few_say_what_to_change(store):
    with pytest.raises(DataError, match="both, left holds 2 images; an evaluation needs at least 4: take more"):
        in_pairs(store, "side_by_side", "both", "left").require(4, "take more")
