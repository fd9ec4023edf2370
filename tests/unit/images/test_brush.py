import cv2
import numpy as np
import pytest

from translate.images.brush import impressionist_palette, mix_tones, paint
from translate.images.codec import decode
from translate.images.resize import resize
from translate.shipped import shipped_folder


@pytest.fixture(scope="module")
def photo():
    data = (shipped_folder("samples") / "photos" / "water8.jpg").read_bytes()
    return resize(decode(data).pixels, 192, 384, how="auto")


def luma(pixels):
    return pixels.astype(float).mean(axis=2).ravel()


def test_the_scene_stays_and_the_surface_is_painted(photo):
    painted = paint(photo, 1, 0.6)
    assert (painted.shape, painted.dtype) == (photo.shape, np.uint8)
    assert np.corrcoef(luma(photo), luma(painted))[0, 1] > 0.8
    assert np.abs(painted.astype(int) - photo).mean() > 8
    assert np.abs(painted.mean(axis=(0, 1)) - photo.mean(axis=(0, 1))).max() < 8  # no tint of its own


def test_a_seed_is_a_painting(photo):
    assert np.array_equal(paint(photo, 1, 0.6), paint(photo, 1, 0.6))
    assert not np.array_equal(paint(photo, 1, 0.6), paint(photo, 2, 0.6))


def test_finer_brushes_keep_more_of_the_scene(photo):
    off = [np.abs(paint(photo, 1, scale).astype(int) - photo).mean() for scale in (0.3, 1.0)]
    assert off[0] < off[1]


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (40, 7)])
def test_any_shape(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert paint(pixels, 0, 0.6).shape == pixels.shape


def test_even_paint_varies_and_keeps_its_tone():
    even = np.full((120, 160, 3), 130, np.uint8)
    painted = paint(even, 0).astype(float)
    assert painted.std() > 4
    assert abs(painted.mean() - 130) < 4


def test_the_palette_keeps_tones_and_strengthens_colours(photo):
    changed = impressionist_palette(photo)
    assert np.abs(luma(changed) - luma(photo)).mean() < 10
    assert np.corrcoef(luma(photo), luma(changed))[0, 1] > 0.99
    spread = [np.ptp(pixels.astype(float), axis=2).mean() for pixels in (photo, changed)]
    assert spread[1] > spread[0]
    grey = impressionist_palette(np.array([[[40] * 3, [220] * 3]], np.uint8))[0].astype(int)
    assert grey[0, 2] > grey[0, 0]  # lilac shadow
    assert grey[1, 0] > grey[1, 2]  # cream light


def test_tones_of_the_photograph_are_mixed_in(photo):
    other = np.ascontiguousarray(255 - photo[:, ::-1])
    assert np.abs(mix_tones(other, photo, 0, 0).astype(int) - other).max() <= 1
    whole = mix_tones(other, photo, 1, 1)
    broad = [cv2.GaussianBlur(pixels, (0, 0), 12).astype(int) for pixels in (photo, other, whole)]
    assert np.abs(broad[2] - broad[0]).mean() < 0.25 * np.abs(broad[1] - broad[0]).mean()
    assert np.corrcoef(luma(other), luma(whole))[0, 1] < np.corrcoef(luma(photo), luma(whole))[0, 1]
