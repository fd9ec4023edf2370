import numpy as np
import pytest
from PIL import Image

from translate.images.resize import pil_bicubic, resize, short_side

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("how", ["auto", "bicubic", "lanczos"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400, 3), (30, 41, 3), (30, 41)])
@pytest.mark.parametrize("size", [(1, 1), (64, 64), (7, 90)])
def test_layout_is_kept_at_any_size(how, shape, size):
    resized = resize(RNG.integers(0, 256, shape, dtype=np.uint8), *size, how=how)
    assert (resized.shape, resized.dtype) == ((*size, *shape[2:]), np.uint8)


def test_one_channel_axis_is_kept():
    assert resize(np.zeros((9, 9, 1), np.uint8), 5, 20).shape == (5, 20, 1)


@pytest.mark.parametrize("how", ["auto", "bicubic", "lanczos"])
def test_a_flat_color_stays(how):
    flat = np.full((20, 30, 3), (10, 128, 250), np.uint8)
    assert (resize(flat, 13, 61, how=how) == flat[0, 0]).all()


def test_shrinking_averages_instead_of_picking():
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(resize(checkerboard, 16, 16).astype(int) - 127.5).max() < 2
    np.testing.assert_array_equal(resize(np.arange(16, dtype=np.uint8).reshape(4, 4) * 4, 2, 2), [[10, 18], [42, 50]])


def test_same_size_is_the_same_array():
    pixels = RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert resize(pixels, 5, 6) is pixels


def test_there_and_back_is_close():
    y, x = np.mgrid[0:60, 0:80]
    smooth = (127 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    back = resize(resize(smooth, 120, 160), 60, 80)
    assert np.abs(back.astype(int) - smooth).max() <= 4


def test_compat_is_pillows_bicubic():
    pixels = RNG.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((256, 256), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(pil_bicubic(pixels, 256, 256), expected)
    np.testing.assert_array_equal(resize(pixels, 256, 256, how="bicubic"), expected)


@pytest.mark.parametrize(
    ("size", "target", "expected"),
    [((360, 720), 256, (256, 512)), ((720, 360), 256, (512, 256)), ((1, 4000), 2, (2, 8000)), ((5, 5), 9, (9, 9)),
     ((333, 500), 100, (100, 150))],
)
def test_short_side(size, target, expected):
    assert short_side(*size, target) == expected
