"""Names and pixels of images in a store."""

from __future__ import annotations

import numpy as np
import pytest

from translate.datasets.folder import centre_square, image_keys, read_pixels
from translate.errors import DataError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.stores import open_store


@pytest.fixture
def store():
    store = open_store("memory://folder-tests")
    for info in list(store.list()):
        store.delete(info.key)
    return store


def png(value, alpha=None):
    pixels = np.full((4, 4, 3), value, np.uint8)
    return encode(Picture(pixels, None if alpha is None else np.full((4, 4), alpha, np.uint8), "png"), "png", 100)


def test_names_are_relative_and_without_extension(store):
    for key in ("a/x.png", "a/deep/y.JPG", "a/notes.txt", "b/z.png"):
        store.put(key, b"")
    assert image_keys(store, "a/") == {"deep/y": "a/deep/y.JPG", "x": "a/x.png"}
    assert list(image_keys(store, "")) == ["a/deep/y", "a/x", "b/z"]


def test_two_images_of_one_name_are_refused(store):
    store.put("a/x.png", b"")
    store.put("a/x.jpg", b"")
    with pytest.raises(DataError, match="differ in their extension only"):
        image_keys(store, "a")


def test_an_empty_folder_is_an_error(store):
    with pytest.raises(DataError, match="no images under nothing/"):
        image_keys(store, "nothing")


def test_transparency_is_put_on_white(store):
    store.put("x.png", png(0, alpha=51))
    assert (read_pixels(store, "x.png") == 204).all()


def test_an_unreadable_file_is_named(store):
    store.put("broken.png", png(9)[:40])
    with pytest.raises(DataError, match=r"broken\.png can't be read"):
        read_pixels(store, "broken.png")


def test_centre_square():
    pixels = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    assert np.array_equal(centre_square(pixels), pixels[:, 1:6])
