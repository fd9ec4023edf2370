"""The layouts of a training set, and what is wrong with a listing."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_set import picture, png

from translate.config import Data
from translate.datasets.layout import Source, digest_of_set, list_set
from translate.errors import UsageError
from translate.stores import open_store

SIZES = {"short_side_px": (32, 32), "crop_px": 32}


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "data"))


def found(store, **options):
    listed = list_set(store, Data(**SIZES, **options))
    return listed, [(finding.code, finding.where) for finding in listed.findings]


def fill(store, *keys):
    for key in keys:
        store.put(key, png(picture(0, 8)))


def test_halves_of_one_image():
    pixels = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    assert np.array_equal(Source("x", "left").cut(pixels), pixels[:, :2])
    assert np.array_equal(Source("x", "right").cut(pixels), pixels[:, 2:4]), "as wide as the left, split at int(5 / 2)"
    assert Source("x").cut(pixels) is pixels


def test_the_left_half_is_the_domain_that_is_said(store):
    fill(store, "train/1.jpg", "train/2.jpg", "val/3.jpg")
    options = {"kind": "paired", "layout": "side_by_side", "pairs": "train", "test_pairs": "val"}
    listed, wrong = found(store, **options)
    assert wrong == []
    assert listed.a == {"1": Source("train/1.jpg", "left"), "2": Source("train/2.jpg", "left")}
    assert listed.b == {"1": Source("train/1.jpg", "right"), "2": Source("train/2.jpg", "right")}
    assert listed.test_b == {"3": Source("val/3.jpg", "right")}
    turned, _ = found(store, left="b", **options)
    assert (turned.a, turned.b) == (listed.b, listed.a)


def test_a_manifest_pairs_any_names(store):
    fill(store, "x/1.png", "y/one.png", "y/two, really.png")
    store.put("pairs.csv", b'\xef\xbb\xbfb,a,note\r\ny/one.png,x/1.png,\r\n"y/two, really.png",x/1.png,again\r\n')
    listed, wrong = found(store, kind="paired", layout="manifest", pairs="pairs.csv")
    assert wrong == []
    assert [source.key for source in listed.a.values()] == ["x/1.png", "x/1.png"]
    assert [source.key for source in listed.b.values()] == ["y/one.png", "y/two, really.png"]
    assert listed.a.keys() == listed.b.keys()


def test_what_is_wrong_with_a_manifest(store):
    fill(store, "1.png", "2.png")
    store.put("pairs.csv", b"a,b\n1.png,2.png\n1.png,gone.png\n1.png\n1.png,2.png\n../1.png,2.png\n")
    listed, wrong = found(store, kind="paired", layout="manifest", pairs="pairs.csv", test_pairs="test.csv")
    assert wrong == [
        ("pair.missing_half", "pairs.csv:3"), ("pair.missing_half", "pairs.csv:4"), ("name.duplicate", "pairs.csv:5"),
        ("pair.missing_half", "pairs.csv:6"), ("manifest.invalid", "test.csv"), ("folder.empty", "test.csv"),
    ]
    assert "gone.png" in listed.findings[0].message
    assert len(listed.a) == 1


@pytest.mark.parametrize("content", [b"left,right\n1,2\n", b"", b"\xff\xfe1", b'a,b\n"1.png,2.png'])
def test_no_manifest(store, content):
    store.put("pairs.csv", content)
    _, wrong = found(store, kind="paired", layout="manifest", pairs="pairs.csv")
    assert ("manifest.invalid", "pairs.csv") in wrong


def parquet(**columns):
    content = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), content)
    return content.getvalue().to_pybytes()


def test_a_manifest_in_parquet(store):
    fill(store, "x/1.png", "y/one.png", "y/zwölf.png")
    category = pa.array(["x/1.png", "x/1.png", "x/2.png"]).dictionary_encode()
    store.put("pairs.parquet", parquet(b=["y/one.png", "y/zwölf.png", None], score=[0.5, 0.25, 1.0], a=category))
    listed, wrong = found(store, kind="paired", layout="manifest", pairs="pairs.parquet")
    assert [source.key for source in listed.a.values()] == ["x/1.png", "x/1.png"]
    assert [source.key for source in listed.b.values()] == ["y/one.png", "y/zwölf.png"]
    assert wrong == [("pair.missing_half", "pairs.parquet:3")]
    assert "x/2.png and (empty)" in listed.findings[0].message


@pytest.mark.parametrize(("content", "problem"), [
    (parquet(a=["1.png"], c=["2.png"]), "has the columns a, c; expected a and b"),
    (parquet(a=["1.png"], b=[7]), "no text in the columns a and b but string and int64"),
    (parquet(a=["1.png"], b=["2.png"])[:-20], "is no Parquet file that can be read"),
    (b"a,b\n1.png,2.png\n", "is no Parquet file that can be read"),
    (b"", "is no Parquet file that can be read"),
], ids=["columns", "numbers", "cut", "csv", "empty"])
def test_no_manifest_in_parquet(store, content, problem):
    store.put("pairs.parquet", content)
    listed, wrong = found(store, kind="paired", layout="manifest", pairs="pairs.parquet")
    assert wrong == [("manifest.invalid", "pairs.parquet"), ("folder.empty", "pairs.parquet")]
    assert problem in listed.findings[0].message


def test_parquet_without_pyarrow(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # what an import then finds is nothing
    store.put("pairs.parquet", b"PAR1")
    with pytest.raises(UsageError, match=r"pip install 'translate-images\[parquet\]'"):
        found(store, kind="paired", layout="manifest", pairs="pairs.parquet")


def test_what_is_wrong_with_folders(store):
    fill(store, "trainA/1.png", "trainA/1.jpg", "trainA/2.png", "trainB/1.png", "trainB/3.png", "trueA/9.png",
         "testA/5.png", "testB/6.png")
    listed, wrong = found(store, kind="paired", answers_a="trueA", test_a="testA", test_b="testB")
    assert sorted(wrong) == [
        ("answer.without_image", "trueA/9.png"), ("name.duplicate", "trainA/1.png"),
        ("pair.missing_half", "testA/5.png"), ("pair.missing_half", "testB/6.png"),
        ("pair.missing_half", "trainA/2.png"), ("pair.missing_half", "trainB/3.png"),
    ]
    assert (list(listed.a), list(listed.b), listed.answers_a) == (["1"], ["1"], {})


def test_an_empty_folder_is_found_once(store):
    fill(store, "trainA/1.png")
    assert found(store, kind="paired")[1] == [("folder.empty", "trainB")]


@pytest.mark.parametrize("options", [
    {"kind": "unpaired", "a": "a", "b": "b"}, {"kind": "paired", "layout": "side_by_side", "pairs": "a"},
    {"kind": "paired", "layout": "manifest", "pairs": "pairs.csv"},
])
def test_the_digest_of_a_set_is_of_its_images_and_of_nothing_else(store, options):
    fill(store, "a/1.png", "b/1.png", "c/1.png")
    store.put("pairs.csv", b"a,b\na/1.png,b/1.png\n")
    config = Data(**SIZES, **options)

    def digest():
        return digest_of_set(store, config, list_set(store, config))

    first = digest()
    fill(store, "c/2.png")
    store.put("a/notes.txt", b"no image")
    assert digest() == first
    store.put("a/1.png", png(picture(1, 8)))
    assert digest() != first


def test_the_digest_of_a_set_that_is_the_whole_store(store):
    fill(store, "1.png")
    config = Data(**SIZES, kind="paired", layout="side_by_side", pairs="")
    first = digest_of_set(store, config, list_set(store, config))
    fill(store, "2.png")
    assert digest_of_set(store, config, list_set(store, config)) != first
