"""The Fluent Emoji set: keys and split by hand; drawing and matching on packages of the published layout."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest

from translate.datasets import fluent_emoji
from translate.datasets.fluent_emoji import PACKAGES, draw_render, draw_svg, emoji_key, read_triples, split_of
from translate.errors import DataError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.stores import open_store

SQUARE = '<g fill="none"><path fill="currentColor" d="M8 8h16v16H8z"/></g>'


def pack(folder, domain, files):
    name, version = PACKAGES[domain]
    with tarfile.open(folder / f"{name[1:].replace('/', '-')}-{version}.tgz", "w:gz") as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def icons(points):
    names = {p: f"icon-{p}" for p in points}
    bodies = {n: {"body": SQUARE} for n in names.values()}
    document = {"prefix": "x", "width": 32, "height": 32, "icons": bodies}
    return {"icons.json": json.dumps(document).encode(), "chars.json": json.dumps(names).encode()}


def webp(alpha):
    pixels = np.zeros((256, 256, 3), np.uint8)
    return encode(Picture(pixels, np.full((256, 256), alpha, np.uint8), "png"), "webp", 100)


@pytest.fixture
def packages(tmp_path):
    pack(tmp_path, "ink", icons(["30-20e3", "1f44d", "23-20e3", "1f44d-1f3fb"]))
    pack(tmp_path, "flat", icons(["0030-20e3", "1f44d", "1f44d-1f3fb", "0023-20e3", "2600"]))
    pack(tmp_path, "render", {f"assets/{n}.webp": webp(128)
                              for n in ("0030-fe0f-20e3", "0023-fe0f-20e3", "1f44d-1f3fb", "2600-fe0f")})
    return tmp_path


@pytest.mark.parametrize(("written", "key"), [
    ("1F600", "1f600"), ("23-FE0F-20E3", "0023-20e3"), ("2600-fe0f", "2600"), ("a9", "00a9"),
])
def test_key(written, key):
    assert emoji_key(written) == key


def test_split_is_a_function_of_the_key_alone():
    # The last four decimal digits of sha256 (by sha256sum and perl): 5711, 7568, 3254.
    assert split_of("0030-20e3") == ("test", "")
    assert split_of("0023-20e3") == ("train", "render")
    assert split_of("002a-20e3") == ("train", "flat")


def test_drawings_are_matched_by_key_without_skin_tones(packages):
    assert [t.key for t in read_triples(packages)] == ["0023-20e3", "0030-20e3"]


def test_open_colour_is_drawn_black_on_white(packages):
    drawn = draw_svg(read_triples(packages)[0].ink, 32)
    assert drawn.shape == (32, 32, 3)
    assert (drawn[12:20, 12:20] == 0).all()
    assert (drawn[:4] == 255).all()


def test_half_transparent_black_is_grey_on_white():
    drawn = draw_render(webp(128), 64)
    assert drawn.shape == (64, 64, 3)
    assert (drawn == 127).all()


def test_prepare_writes_pairs_and_disjoint_halves(packages, monkeypatch):
    monkeypatch.setattr(fluent_emoji, "EXPECTED_TRIPLES", 2)
    store = open_store("memory://emoji")
    counts = fluent_emoji.prepare(store, size_px=32, packages=packages)
    assert counts == {"test/flat": 1, "test/ink": 1, "test/render": 1,
                      "train/flat": 1, "train/ink": 1, "train/render": 1, "unpaired/trainB": 1}
    keys = [info.key for info in store.list()]
    assert {"train/ink/0023-20e3.png", "test/render/0030-20e3.png", "ATTRIBUTION.md"} <= set(keys)
    assert "Microsoft" in store.get("ATTRIBUTION.md").data.decode()
    assert store.get("index.csv").data.decode() == "key,split,half\n0023-20e3,train,render\n0030-20e3,test,\n"


def test_other_packages_are_refused(packages):
    with pytest.raises(DataError, match="2 complete emoji, expected 1570"):
        fluent_emoji.prepare(open_store("memory://refused"), packages=packages)
    assert list(open_store("memory://refused").list()) == []


def test_missing_package_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no iconify-json-fluent-emoji-high-contrast-1\.2\.6\.tgz"):
        read_triples(tmp_path)
