"""Pictures that look the same are the same to the network, whatever an editor left under full transparency."""

import io

import numpy as np
import pytest
from PIL import Image

from translate.images import hidden
from translate.images.codec import decode, encode
from translate.images.hidden import fill_hidden

Y, X = np.mgrid[:96, :120]
DISC = (X - 60) ** 2 + (Y - 48) ** 2 < 30**2
COLORS = np.dstack([100 + X // 3, 150 - Y // 4, 60 + Y // 3]).astype(np.uint8)
UNDER = [0, 255, (255, 0, 255), "noise"]


def with_colors_under(under):
    pixels = COLORS.copy()
    noise = np.random.default_rng(0).integers(0, 255, pixels.shape, dtype=np.uint8)
    pixels[~DISC] = noise[~DISC] if under == "noise" else under
    return pixels


def file(kind, under):
    out = io.BytesIO()
    alpha = np.where(DISC, 255, 0).astype(np.uint8)
    options = {"WEBP": {"lossless": True, "exact": True}}.get(kind, {})
    Image.fromarray(np.dstack([with_colors_under(under), alpha])).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_looks_the_same_is_the_same(kind):
    pictures = [decode(file(kind, under)) for under in UNDER]
    for picture in pictures:
        np.testing.assert_array_equal(picture.pixels, pictures[0].pixels)
        np.testing.assert_array_equal(picture.pixels[DISC], COLORS[DISC])
    assert len({encode(picture, "png", 90) for picture in pictures}) == 1


def test_the_nearest_colour_that_is_seen():
    pixels = decode(file("PNG", 0)).pixels
    np.testing.assert_array_equal(pixels[48, 0], COLORS[48, 31])
    np.testing.assert_array_equal(pixels[0, 60], COLORS[19, 60])


@pytest.mark.parametrize("band_px", [1, 120 * 10, 120 * 50])
def test_in_bands(band_px, monkeypatch):
    monkeypatch.setattr(hidden, "_BAND_PX", band_px)
    filled = [with_colors_under(under) for under in UNDER]
    for pixels in filled:
        fill_hidden(pixels, np.where(DISC, 255, 0).astype(np.uint8))
        np.testing.assert_array_equal(pixels, filled[0])
        np.testing.assert_array_equal(pixels[DISC], COLORS[DISC])
    if band_px < 120 * 18:
        assert np.abs(filled[0][0] - COLORS[DISC].mean(axis=0)).max() < 1, "the first band shows nothing"


def test_nothing_to_see_is_white():
    pixels = np.zeros((4, 4, 3), np.uint8)
    fill_hidden(pixels, np.zeros((4, 4), np.uint8))
    assert (pixels == 255).all()


def test_colours_that_can_be_seen_stay():
    pixels = with_colors_under("noise")
    fill_hidden(pixels, np.where(DISC, 255, 1).astype(np.uint8))
    np.testing.assert_array_equal(pixels, with_colors_under("noise"))


def test_palettes_and_transparent_levels():
    image = Image.fromarray(np.where(DISC, 1, 0).astype(np.uint8), "P")
    image.putpalette([255, 0, 255, 10, 200, 30])
    out = io.BytesIO()
    image.save(out, "GIF", transparency=0)
    assert (decode(out.getvalue()).pixels == (10, 200, 30)).all()
