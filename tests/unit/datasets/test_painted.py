"""Photographs in oil paint: pairs, made here from real photographs."""

from __future__ import annotations

import numpy as np
import pytest

from translate.datasets.folder import image_keys, read_pixels
from translate.datasets.painted import MOST_SHORT_SIDE_PX, in_other_light, prepare
from translate.errors import DataError
from translate.images.codec import decode, encode
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.shipped import shipped_folder
from translate.stores import open_store


@pytest.fixture(scope="module")
def photo():
    data = (shipped_folder("samples") / "photos" / "water8.jpg").read_bytes()
    return resize(decode(data).pixels, 60, 120, how="auto")


def put(store, key, pixels):
    store.put(key, encode(Picture(pixels, None, "png"), "png", 100))


def test_every_photograph_is_painted_and_the_tenth_held_out(photo):
    photos, into = open_store("memory://painted-photos"), open_store("memory://painted-out")
    put(photos, "a/lake.png", photo)
    put(photos, "b.png", photo[::-1].copy())
    counts = prepare(photos, into, versions=2)
    assert counts == {"train/photo": 2, "train/painting": 2, "test/photo": 1, "test/painting": 1}
    assert set(image_keys(into, "test/photo")) == set(image_keys(into, "test/painting")) == {"a_lake_0"}
    assert set(image_keys(into, "train/photo")) == set(image_keys(into, "train/painting")) == {"b_0", "b_1"}
    for version in ("b_0", "b_1"):
        before, after = (read_pixels(into, f"train/{kind}/{version}.jpg").astype(float) for kind in ("photo", "painting"))
        assert before.shape == after.shape == photo.shape
        assert np.corrcoef(before.mean(2).ravel(), after.mean(2).ravel())[0, 1] > 0.8
        assert np.abs(before - after).mean() > 5
    again = open_store("memory://painted-again")
    prepare(photos, again, versions=2)
    assert again.get("train/painting/b_1.jpg").data == into.get("train/painting/b_1.jpg").data
    assert "painted-photos" in into.get("ATTRIBUTION.md").data.decode()


def test_a_large_photograph_is_reduced(photo):
    photos, into = open_store("memory://painted-large"), open_store("memory://painted-reduced")
    put(photos, "large.png", resize(photo, 500, 640, how="auto"))
    prepare(photos, into)
    assert read_pixels(into, "train/photo/large_0.jpg").shape == (MOST_SHORT_SIDE_PX, 512, 3)


def test_nothing_to_paint_is_an_error():
    with pytest.raises(DataError, match="no images"):
        prepare(open_store("memory://painted-nothing"), open_store("memory://painted-none"))


def test_in_other_light_it_is_mirrored(photo):
    changed = in_other_light(photo, np.random.default_rng(1))
    assert changed.shape == photo.shape
    luma, mirrored = changed.astype(float).mean(2), photo[:, ::-1].astype(float).mean(2)
    assert np.corrcoef(luma.ravel(), mirrored.ravel())[0, 1] > 0.95
    assert np.abs(luma - mirrored).mean() > 3
