"""What is trained on: the listing, its sides, its digest, and the two views of it."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_set import picture, png

from translate.config import Data, Holdout, validate
from translate.datasets.evaluation_set import held_out
from translate.datasets.layout import list_set
from translate.errors import ConfigError, DataError, NotFoundError, UnsupportedError
from translate.retraining.snapshot import held_out_data, read_snapshot, take_snapshot
from translate.retraining.view import SnapshotView
from translate.stores import open_store
from translate.training.data import TrainingData

HALF = Holdout(share=0.5)


def data(**places):
    return validate(Data, {"kind": "unpaired", "a": "a", "b": "b", "short_side_px": [32, 32], "crop_px": 32, **places},
                    "here")


@pytest.fixture
def store(tmp_path):
    found = open_store(str(tmp_path / "set"))
    for i in range(20):
        for folder in ("a", "b", "answers"):
            found.put(f"{folder}/{i}.png", png(picture(i, 32)))
    found.put("a/notes.txt", b"no image")
    return found


def names(entries, folder):
    return {entry.key.removeprefix(f"{folder}/") for entry in entries if entry.key.startswith(f"{folder}/")}


def test_a_listing_is_written_and_read_the_same(store):
    snapshot = take_snapshot(store, data(), HALF)
    assert [entry.key for entry in snapshot.entries] == sorted(entry.key for entry in snapshot.entries)
    assert sum(snapshot.counts.values()) == len(snapshot.entries) == 40
    assert snapshot.total_bytes == 2 * sum(info.size_bytes for info in store.list("b/"))
    assert read_snapshot(snapshot.text) == snapshot
    assert take_snapshot(store, data(), HALF).digest == snapshot.digest


def test_both_sides_of_a_name_stand_together_and_answers_with_them(store):
    snapshot = take_snapshot(store, data(answers_a="answers"), HALF)
    held, trained = snapshot.held_out, snapshot.training
    assert 5 < len(names(held, "a")) < 15
    assert names(held, "a") == names(held, "b") == names(held, "answers")
    for folder in ("a", "b", "answers"):
        assert names(held, folder) | names(trained, folder) == {f"{i}.png" for i in range(20)}
        assert not names(held, folder) & names(trained, folder)


def test_test_folders_are_what_is_held_out(store):
    for i in range(5):
        store.put(f"test/a/{i}.png", png(picture(100 + i, 32)))
        store.put(f"test/b/{i}.png", png(picture(200 + i, 32)))
    snapshot = take_snapshot(store, data(test_a="test/a", test_b="test/b"), HALF)
    assert {entry.place for entry in snapshot.held_out} == {"test_a", "test_b"}
    assert len(names(snapshot.training, "a")) == 20
    assert snapshot.counts == {"a": 20, "b": 20, "test_a, held out": 5, "test_b, held out": 5}


def test_what_changed_is_counted(store):
    before = take_snapshot(store, data(), HALF)
    store.delete("a/0.png")
    store.put("a/1.png", png(picture(50, 40)))
    for i in range(20, 23):
        store.put(f"b/{i}.png", png(picture(i, 32)))
    after = take_snapshot(store, data(), HALF)
    found = after.difference(before, "earlier")
    assert (found.since, found.new, found.removed, found.changed) == ("earlier", 3, 1, 1)
    assert after.digest != before.digest


def test_images_that_come_and_go_change_no_side(store):
    before = take_snapshot(store, data(), HALF)
    for i in range(0, 20, 3):
        store.delete(f"a/{i}.png")
    for i in range(20, 60):
        store.put(f"a/{i}.png", png(picture(i, 32)))
    side = {entry.key: entry.held_out for entry in before.entries}
    stayed = [entry for entry in take_snapshot(store, data(), HALF).entries if entry.key in side]
    assert len(stayed) == 33
    assert all(entry.held_out == side[entry.key] for entry in stayed)


@pytest.mark.parametrize(("places", "error", "words"), [
    ({"test_a": "answers"}, ConfigError, "one of test_a and test_b"),
    ({"test_a": "a", "test_b": "b"}, DataError, r"a/0\.png is of a and of test_a"),
])
def test_sets_that_cannot_be_split_are_refused(store, places, error, words):
    with pytest.raises(error, match=words):
        take_snapshot(store, data(**places), HALF)


def test_names_that_are_no_unicode(store):
    store.put("a/\udcff.png", png(picture(1, 32)))
    snapshot = take_snapshot(store, data(), HALF)
    assert "a/\udcff.png" in {entry.key for entry in snapshot.entries}
    assert read_snapshot(snapshot.text) == snapshot


class Watched:
    """A store that notes what is read."""

    def __init__(self, store):
        self.store, self.read = store, set()
        self.url = store.url

    def get(self, key, **options):
        self.read.add(key)
        return self.store.get(key, **options)


def in_pairs(layout, **places):
    return validate(Data, {"kind": "paired", "layout": layout, "short_side_px": [32, 32], "crop_px": 32, **places},
                    "here")


def put_manifest(store, key, indices):
    """Rows a/0.png, b/0.png ..., in CSV, or in Parquet if the key ends so."""
    if key.endswith(".parquet"):
        content = pa.BufferOutputStream()
        pq.write_table(pa.table({side: [f"{side}/{i}.png" for i in indices] for side in ("a", "b")}), content)
        store.put(key, content.getvalue().to_pybytes())
    else:
        store.put(key, "".join(["a,b\n", *(f"a/{i}.png,b/{i}.png\n" for i in indices)]).encode())


LAYOUTS = {"side_by_side": {"pairs": "a"}, "manifest": {"pairs": "pairs.csv"}, "parquet": {"pairs": "pairs.parquet"}}


@pytest.fixture(params=LAYOUTS)
def pairs(request, store):
    """Twenty pairs, and how they lie."""
    layout = "manifest" if request.param == "parquet" else request.param
    config = in_pairs(layout, **LAYOUTS[request.param])
    if layout == "manifest":
        put_manifest(store, config.pairs, range(20))
    return config


def test_pairs_of_every_layout_are_split_by_name(store, pairs):
    snapshot = take_snapshot(store, pairs, HALF)
    assert read_snapshot(snapshot.text) == snapshot
    view, rest = SnapshotView(store, snapshot.held_out), SnapshotView(store, snapshot.training)
    evaluated = held_out(view, held_out_data(pairs), "a")
    trained = list_set(rest, pairs)
    assert trained.findings == []
    assert 5 < len(evaluated.sources) < 15
    assert not evaluated.sources.keys() & trained.a.keys()
    assert len(evaluated.sources) + len(trained.a) == 20
    assert evaluated.targets.keys() == evaluated.sources.keys()
    sides = 1 if pairs.layout == "side_by_side" else 2
    assert sum(snapshot.counts.values()) == 20 * sides, "a manifest is no image"
    for i in range(20, 40):
        store.put(f"a/{i}.png", png(picture(i, 32)))
    if pairs.layout == "manifest":
        put_manifest(store, pairs.pairs, range(20))
    later = take_snapshot(store, pairs, HALF)
    side = {entry.key: entry.held_out for entry in snapshot.entries}
    assert all(entry.held_out == side[entry.key] for entry in later.entries if entry.key in side)


def test_named_test_pairs_are_what_is_held_out(store, pairs):
    places = {"side_by_side": "b", "manifest": pairs.pairs.replace("pairs", "test")}
    config = pairs.model_copy(update={"test_pairs": places[pairs.layout]})
    if pairs.layout == "manifest":
        put_manifest(store, config.pairs, range(14))
        put_manifest(store, config.test_pairs, range(14, 20))
    snapshot = take_snapshot(store, config, HALF)
    evaluated = held_out(SnapshotView(store, snapshot.held_out), held_out_data(config), "a")
    trained = list_set(SnapshotView(store, snapshot.training), config)
    expected = (20, 20) if config.layout == "side_by_side" else (6, 14)
    assert (len(evaluated.sources), len(trained.a)) == expected
    assert trained.test_a == evaluated.sources, "a training draws samples from them"


def test_no_held_out_pair_is_ever_read_by_training(store, pairs):
    snapshot = take_snapshot(store, pairs, HALF)
    watched = Watched(store)
    training = TrainingData(SnapshotView(watched, snapshot.training), pairs, seed=0)
    for start in range(0, 100, 4):
        training.batch(start, 4)
    held = {entry.key for entry in snapshot.entries if entry.held_out}
    assert watched.read == {entry.key for entry in snapshot.entries} - held


def test_a_manifest_that_changed_since_is_told(store):
    put_manifest(store, "pairs.csv", range(20))
    snapshot = take_snapshot(store, in_pairs("manifest", pairs="pairs.csv"), HALF)
    put_manifest(store, "pairs.csv", range(19))
    with pytest.raises(DataError, match=r"pairs\.csv was changed since the snapshot"):
        SnapshotView(store, snapshot.training).get("pairs.csv")


def test_one_answer_of_pairs_on_both_sides_is_refused(store):
    """It would be trained on and judged by."""
    rows = [f"a/{i}.png,b/0.png\n" for i in range(20)]
    store.put("pairs.csv", "".join(["a,b\n", *rows]).encode())
    with pytest.raises(DataError, match=r"b/0\.png is in pairs that are held out and in pairs that are trained on"):
        take_snapshot(store, in_pairs("manifest", pairs="pairs.csv"), HALF)
    store.put("pairs.csv", b"a,b\na/1.png,b/1.png\na/1.png,b/2.png\na/2.png,b/gone.png\n")
    with pytest.raises(DataError, match=r"pairs\.csv:4 names b/gone\.png, not in the set"):
        take_snapshot(store, in_pairs("manifest", pairs="pairs.csv"), HALF)
    store.put("pairs.csv", b"a,b\na/1.png,b/1.png\na/1.png,b/2.png\n")
    sides = {entry.held_out for entry in take_snapshot(store, in_pairs("manifest", pairs="pairs.csv"), HALF).entries
             if entry.place != "manifest"}
    assert len(sides) == 1, "what one image of a goes with stands on its side"


@pytest.mark.parametrize("kind", ["unpaired", "paired"])
def test_no_held_out_image_is_ever_read_by_training(store, kind):
    config = data(kind=kind) if kind == "paired" else data(answers_a="answers")
    snapshot = take_snapshot(store, config, HALF)
    watched = Watched(store)
    training = TrainingData(SnapshotView(watched, snapshot.training), config, seed=0)
    training.samples(4)
    for start in range(0, 200, 4):
        training.batch(start, 4)
    assert watched.read >= {entry.key for entry in snapshot.training if entry.place in ("a", "b")}
    assert not watched.read & {entry.key for entry in snapshot.held_out}


def test_images_that_came_later_are_not_there_and_others_are_reported(store):
    snapshot = take_snapshot(store, data(), HALF)
    view = SnapshotView(store, snapshot.entries)
    store.put("a/later.png", png(picture(99, 32)))
    assert [info.key for info in view.list("a/")] == sorted(f"a/{i}.png" for i in range(20))
    with pytest.raises(NotFoundError):
        view.get("a/later.png")
    store.delete("a/3.png")
    with pytest.raises(DataError, match=r"a/3.png was removed since the snapshot; retrain anew"):
        view.get("a/3.png")
    store.put("a/4.png", png(picture(7, 40)))
    with pytest.raises(DataError, match=r"a/4.png was changed since the snapshot"):
        view.get("a/4.png")
    with pytest.raises(UnsupportedError):
        view.put("a/5.png", b"")
    with pytest.raises(UnsupportedError):
        view.delete("a/5.png")


def test_a_view_lists_as_the_contract_says(store):
    snapshot = take_snapshot(store, data(), HALF)
    view = SnapshotView(store, snapshot.entries)
    whole = [info for info in store.list() if info.key != "a/notes.txt" and not info.key.startswith("answers/")]
    assert list(view.list()) == whole
    start = random.Random(0).choice(whole).key
    assert list(view.list(start_after=start)) == [info for info in whole if info.key > start]
    assert view.head(start) == store.head(start)
