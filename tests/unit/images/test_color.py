"""Bit depths, palettes, transparency and colour profiles, against values computed without Pillow."""

import io
import struct

import numpy as np
import pytest
from image_files import (
    ADOBE_RGB_PRIMARIES,
    P3_PRIMARIES,
    SRGB_PRIMARIES,
    cmyk_profile,
    grey_profile,
    lab_to_srgb,
    png,
    png_chunk,
    rgb_profile,
    rgb_to_xyz_d50,
    srgb_decode,
    srgb_encode,
    tiff,
)
from PIL import Image

from translate.errors import ItemError
from translate.images.codec import decode

RNG = np.random.default_rng(11)
DEEP = RNG.integers(0, 2**16, (5, 7, 4), dtype=np.uint16)
EIGHT = np.floor(DEEP / 257 + 0.5).astype(np.uint8)


def saved(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def grey_to_rgb(grey):
    return np.repeat(grey[..., None], 3, axis=-1)


class TestPrecision:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("compression", [1, 8])
    def test_tiff(self, order, compression):
        options = {"order": order, "compression": compression}
        grey = decode(tiff(DEEP[..., 0], photometric=1, **options))
        np.testing.assert_array_equal(grey.pixels, grey_to_rgb(EIGHT[..., 0]))
        assert grey.notes == ("precision_16_to_8",)
        rgb = decode(tiff(DEEP[..., :3], photometric=2, **options))
        np.testing.assert_array_equal(rgb.pixels, EIGHT[..., :3])
        assert (rgb.alpha, rgb.notes) == (None, ("precision_16_to_8",))
        rgba = decode(tiff(DEEP, photometric=2, tags={338: (3, [2])}, **options))
        np.testing.assert_array_equal(rgba.pixels, EIGHT[..., :3])
        np.testing.assert_array_equal(rgba.alpha, EIGHT[..., 3])

    def test_tiff_upside_down_and_turned(self):
        turned = decode(tiff(DEEP[..., :3], photometric=2, tags={274: (3, [6])}))
        difference = np.abs(turned.pixels.astype(int) - np.rot90(EIGHT[..., :3], -1))
        assert difference.max() <= 1
        assert turned.notes == ("precision_16_to_8", "exif_rotated")

    def test_white_is_zero(self):
        picture = decode(tiff(DEEP[..., 0], photometric=0))
        np.testing.assert_array_equal(picture.pixels[..., 0], 255 - EIGHT[..., 0])

    def test_twelve_bits(self):
        twelve = DEEP[..., 0] >> 4
        picture = decode(tiff(twelve, photometric=1, bits=12))
        np.testing.assert_array_equal(picture.pixels[..., 0], np.floor(twelve * 255.0 / 4095 + 0.5))

    def test_premultiplied_alpha_is_divided_out(self):
        alpha = np.full((4, 4), 0x8000, np.uint16)
        half = np.full((4, 4, 3), 0x4000, np.uint16)
        picture = decode(tiff(np.dstack([half, alpha]), photometric=2, tags={338: (3, [1])}))
        assert abs(int(picture.pixels[0, 0, 0]) - 128) <= 1
        assert abs(int(picture.alpha[0, 0]) - 128) <= 1

    @pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
    def test_png(self, color_type, channels):
        picture = decode(png(DEEP[..., :channels], 16, color_type))
        colors = EIGHT[..., :1].repeat(3, axis=-1) if channels < 3 else EIGHT[..., :3]
        np.testing.assert_array_equal(picture.pixels, colors)
        if channels in (2, 4):
            np.testing.assert_array_equal(picture.alpha, EIGHT[..., channels - 1])
        else:
            assert picture.alpha is None
        assert picture.notes == ("precision_16_to_8",)

    def test_png_with_orientation(self):
        exif = png_chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
        picture = decode(png(DEEP[..., :3], 16, 2, exif))
        assert np.abs(picture.pixels.astype(int) - np.rot90(EIGHT[..., :3], -1)).max() <= 1
        assert picture.notes == ("precision_16_to_8", "exif_rotated")

    @pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i2", "i4", "u4"])
    def test_samples_without_an_agreed_white(self, kind):
        for data in (tiff(DEEP[..., 0].astype(kind), photometric=1), tiff(DEEP[..., :3].astype(kind), photometric=2)):
            with pytest.raises(ItemError) as caught:
                decode(data)
            assert caught.value.code == "input.unsupported_mode"

    def test_float_written_by_pillow(self):
        with pytest.raises(ItemError, match="F;32") as caught:
            decode(saved(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF"))
        assert caught.value.code == "input.unsupported_mode"

    @pytest.mark.parametrize("tags", [{50706: (1, [1, 4, 0, 0])}, {254: (4, [1])}])
    def test_camera_raw_is_not_its_thumbnail(self, tags):
        with pytest.raises(ItemError, match="camera raw") as caught:
            decode(tiff(EIGHT[..., :3], photometric=2, tags=tags))
        assert caught.value.code == "input.unsupported_mode"

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_grey_of_few_bits(self, bits):
        samples = RNG.integers(0, 2**bits, (5, 9))
        picture = decode(png(samples, bits, 0))
        np.testing.assert_array_equal(picture.pixels, grey_to_rgb(samples * 255 // (2**bits - 1)))
        assert picture.notes == ()

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
    def test_bilevel(self, kind):
        dots = RNG.integers(0, 2, (9, 13)).astype(bool)
        picture = decode(saved(Image.fromarray(dots), kind))
        np.testing.assert_array_equal(picture.pixels, grey_to_rgb(dots * np.uint8(255)))


class TestTransparency:
    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
    def test_rgba(self, kind):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        picture = decode(saved(Image.fromarray(EIGHT), kind, **options))
        np.testing.assert_array_equal(picture.pixels, EIGHT[..., :3])
        np.testing.assert_array_equal(picture.alpha, EIGHT[..., 3])

    def test_grey_with_alpha(self):
        picture = decode(saved(Image.fromarray(EIGHT[..., :2].copy(), "LA")))
        np.testing.assert_array_equal(picture.pixels, grey_to_rgb(EIGHT[..., 0]))
        np.testing.assert_array_equal(picture.alpha, EIGHT[..., 1])

    def test_palette(self):
        colors = np.array([[255, 0, 0], [0, 128, 0], [0, 0, 64]], np.uint8)
        indices = RNG.integers(0, 3, (6, 5))
        palette = png_chunk(b"PLTE", colors.tobytes())
        opaque = decode(png(indices, 8, 3, palette))
        np.testing.assert_array_equal(opaque.pixels, colors[indices])
        assert opaque.alpha is None
        clear = decode(png(indices, 8, 3, palette, png_chunk(b"tRNS", bytes([0, 100]))))
        np.testing.assert_array_equal(clear.alpha, np.array([0, 100, 255])[indices])
        seen = clear.alpha > 0
        np.testing.assert_array_equal(clear.pixels[seen], colors[indices][seen])

    def test_transparent_entry_of_a_gif(self):
        indices = RNG.integers(0, 3, (6, 5)).astype(np.uint8)
        image = Image.fromarray(indices, "P")
        image.putpalette([255, 0, 0, 0, 128, 0, 0, 0, 64])
        picture = decode(saved(image, "GIF", transparency=1))
        np.testing.assert_array_equal(picture.alpha, np.where(indices == 1, 0, 255))

    @pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
    def test_transparent_grey(self, bits):
        samples = RNG.integers(0, 2**bits, (6, 5))
        level = int(samples[0, 0])
        picture = decode(png(samples, bits, 0, png_chunk(b"tRNS", struct.pack(">H", level))))
        np.testing.assert_array_equal(picture.alpha, np.where(samples == level, 0, 255))

    @pytest.mark.parametrize("bits", [8, 16])
    def test_transparent_color(self, bits):
        samples = (EIGHT if bits == 8 else DEEP)[..., :3]
        chosen = samples[2, 3].astype(int).tolist()
        picture = decode(png(samples, bits, 2, png_chunk(b"tRNS", struct.pack(">HHH", *chosen))))
        expected = np.full((5, 7), 255)
        expected[2, 3] = 0
        np.testing.assert_array_equal(picture.alpha, expected)
        np.testing.assert_array_equal(picture.pixels[expected > 0], EIGHT[..., :3][expected > 0])


class TestProfiles:
    # Inside the gamut of sRGB, so that nothing is clipped.
    COLORS = np.array([[[180, 120, 100], [110, 150, 120], [90, 90, 90], [100, 110, 150], [255, 255, 255]]], np.uint8)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    @pytest.mark.parametrize("primaries", [ADOBE_RGB_PRIMARIES, P3_PRIMARIES])
    def test_wide_rgb_becomes_srgb(self, kind, primaries):
        gamma = 2.19921875 if primaries is ADOBE_RGB_PRIMARIES else None
        linear = srgb_decode(self.COLORS / 255) if gamma is None else (self.COLORS / 255) ** gamma
        to_srgb = np.linalg.solve(rgb_to_xyz_d50(SRGB_PRIMARIES), rgb_to_xyz_d50(primaries))
        expected = srgb_encode(linear @ to_srgb.T) * 255
        picture = decode(saved(Image.fromarray(self.COLORS), kind, icc_profile=rgb_profile(primaries, gamma)))
        assert np.abs(picture.pixels - expected).max() <= 2
        assert np.abs(expected - self.COLORS).max() > 8
        assert picture.notes == ("icc_converted",)

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
    def test_profile_of_a_lossy_file(self, kind):
        flat = Image.new("RGB", (32, 32), (180, 120, 100))
        picture = decode(saved(flat, kind, quality=95, icc_profile=rgb_profile(P3_PRIMARIES)))
        plain = decode(saved(flat, kind, quality=95))
        assert picture.notes == ("icc_converted",)
        assert int(picture.pixels[16, 16, 0]) - int(plain.pixels[16, 16, 0]) > 5

    def test_srgb_by_another_name_changes_nothing(self):
        picture = decode(saved(Image.fromarray(self.COLORS), icc_profile=rgb_profile(SRGB_PRIMARIES)))
        np.testing.assert_array_equal(picture.pixels, self.COLORS)
        assert picture.notes == ()

    def test_grey(self):
        levels = np.arange(0, 256, 5, dtype=np.uint8)[None]
        picture = decode(saved(Image.fromarray(levels), icc_profile=grey_profile(1.8)))
        expected = srgb_encode((levels / 255) ** 1.8) * 255
        assert np.abs(picture.pixels - grey_to_rgb(expected)).max() <= 3
        assert np.abs(expected - levels).max() > 10
        assert picture.notes == ("icc_converted",)

    def test_alpha_and_palette_beside_a_profile(self):
        rgba = np.dstack([self.COLORS, np.array([[1, 50, 100, 150, 200]], np.uint8)])
        picture = decode(saved(Image.fromarray(rgba), icc_profile=rgb_profile(P3_PRIMARIES)))
        opaque = decode(saved(Image.fromarray(self.COLORS), icc_profile=rgb_profile(P3_PRIMARIES)))
        np.testing.assert_array_equal(picture.pixels, opaque.pixels)
        np.testing.assert_array_equal(picture.alpha, rgba[..., 3])
        palette = Image.fromarray(self.COLORS).quantize(8)
        indexed = decode(saved(palette, icc_profile=rgb_profile(P3_PRIMARIES)))
        np.testing.assert_array_equal(indexed.pixels, opaque.pixels)

    def test_cmyk_through_its_profile(self):
        def lab_of_inks(c, m, y, k):
            if k:
                return 10, 0, 0
            return 100 - 30 * c - 40 * m - 10 * y, -40 * c + 60 * m, -50 * c + 70 * y

        inks = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]
        image = Image.fromarray(np.array([inks], np.uint8) * 255, "CMYK")
        picture = decode(saved(image, "TIFF", icc_profile=cmyk_profile(lab_of_inks)))
        expected = np.array([[lab_to_srgb(lab_of_inks(*ink)) for ink in inks]])
        assert np.abs(picture.pixels - expected).max() <= 3
        assert picture.notes == ("icc_converted",)

    @pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
    def test_cmyk_without_profile(self, kind):
        inks = np.zeros((16, 32, 4), np.uint8)
        inks[:, :16, 1], inks[:, 16:, 3] = 255, 255  # magenta beside black
        picture = decode(saved(Image.fromarray(inks, "CMYK"), kind))
        assert np.abs(picture.pixels[8, 4].astype(int) - [255, 0, 255]).max() <= 3
        assert picture.pixels[8, 28].max() <= 3
        assert picture.notes == ("cmyk_without_profile",)

    @pytest.mark.parametrize(
        "profile",
        [b"junk" * 50, rgb_profile(P3_PRIMARIES)[:200], grey_profile(2.2), cmyk_profile(lambda *_: (50, 0, 0))],
    )
    def test_broken_or_foreign_profile_is_noted(self, profile):
        picture = decode(saved(Image.fromarray(self.COLORS), icc_profile=profile))
        np.testing.assert_array_equal(picture.pixels, self.COLORS)
        assert picture.notes == ("icc_invalid",)
