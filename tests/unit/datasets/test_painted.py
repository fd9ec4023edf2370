"""Photographs in oil paint: pairs, made here from real photographs."""

from __future__ import annotations

import numpy as np
import pytest

from translate.datasets.folder import image_keys, read_pixels
from translate.datasets.painted import MOST_SHORT_SIDE_PX, prepare
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
    assert prepare(photos, into) == {"train/photo": 1, "train/painting": 1, "test/photo": 1, "test/painting": 1}
    for part, name in (("test", "a_lake"), ("train", "b")):
        assert set(image_keys(into, f"{part}/photo")) == set(image_keys(into, f"{part}/painting")) == {name}
        before, after = (read_pixels(into, f"{part}/{kind}/{name}.jpg").astype(float) for kind in ("photo", "painting"))
        assert before.shape == after.shape == photo.shape
        assert np.corrcoef(before.mean(2).ravel(), after.mean(2).ravel())[0, 1] > 0.8
        assert np.abs(before - after).mean() > 5
    again = open_store("memory://painted-again")
    prepare(photos, again)
    assert again.get("train/painting/b.jpg").data == into.get("train/painting/b.jpg").data
    assert "painted-photos" in into.get("ATTRIBUTION.md").data.decode()


def test_a_large_photograph_is_reduced(photo):
    photos, into = open_store("memory://painted-large"), open_store("memory://painted-reduced")
    put(photos, "large.png", resize(photo, 500, 640, how="auto"))
    prepare(photos, into)
    assert read_pixels(into, "train/photo/large.jpg").shape == (MOST_SHORT_SIDE_PX, 512, 3)


def test_nothing_to_paint_is_an_error():
    with pytest.raises(DataError, match="no images"):
        prepare(open_store("memory://painted-nothing"), open_store("memory://painted-none"))
