"""Each kind of input of which a bucket is full, as a file of that kind."""

import io
import resource
import struct
import time
import zlib
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from image_files import PNG_SIGNATURE, png, png_chunk, tiff
from PIL import Image, ImageOps

from translate.errors import ItemError
from translate.images.codec import (
    decode,
    encode,
    has_image_extension,
    loses_alpha,
    output_format,
    probe,
    with_extension,
)
from translate.images.formats import WRITTEN
from translate.images.picture import Limits, Picture

RNG = np.random.default_rng(7)


def scene(height=48, width=64):
    """A smooth picture with an edge in it, all three channels different."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), 60 + 120 * (x > y)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def outcome_of(data, *arguments):
    """The picture, or the error; any other exception fails the test."""
    try:
        return decode(data, *arguments)
    except ItemError as error:
        return error


def code_of(data, **options):
    with pytest.raises(ItemError) as caught:
        decode(data, **options)
    return caught.value.code


KINDS = {
    "png": saved(scene(), "PNG"),
    "jpeg": saved(scene(), "JPEG"),
    "jpeg progressive": saved(scene(), "JPEG", progressive=True),
    "webp": saved(scene(), "WEBP"),
    "webp lossless": saved(scene(), "WEBP", lossless=True),
    "tiff": saved(scene(), "TIFF"),
    "tiff lzw": saved(scene(), "TIFF", compression="tiff_lzw"),
    "tiff jpeg": saved(scene(), "TIFF", compression="jpeg"),
    "gif": saved(scene().quantize(64), "GIF"),
    "bmp": saved(scene(), "BMP"),
    "avif": saved(scene(), "AVIF"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_decodes_what_pillow_decodes(kind):
    picture = decode(KINDS[kind])
    np.testing.assert_array_equal(picture.pixels, np.asarray(Image.open(io.BytesIO(KINDS[kind])).convert("RGB")))
    assert picture.pixels.flags.c_contiguous
    assert (picture.format, picture.alpha, picture.notes) == (kind.split()[0], None, ())


def test_probe_tells_what_the_header_says():
    facts = probe(saved(scene(30, 50).convert("CMYK"), "JPEG"))
    assert (facts.format, facts.width, facts.height, facts.mode) == ("jpeg", 50, 30, "CMYK")
    assert not facts.has_more_frames
    assert probe(png(RNG.integers(0, 2**16, (2, 3, 3)), 16, 2)).mode == "RGB;16"


class TestBroken:
    def test_empty(self):
        assert code_of(b"") == "input.empty"

    @pytest.mark.parametrize("kind", KINDS)
    def test_cut_anywhere_never_yields_part_of_a_picture(self, kind):
        whole = KINDS[kind]
        expected = decode(whole).pixels
        refused = complete = 0
        ends = range(16, len(whole), max(1, len(whole) // 200))
        for end in ends:
            outcome = outcome_of(whole[:end])
            if isinstance(outcome, ItemError):
                refused += outcome.code == "input.truncated"
            else:
                # Only what follows the last pixel was lost.
                np.testing.assert_array_equal(outcome.pixels, expected)
                complete += 1
        assert refused + complete == len(ends)
        assert refused > 50
        assert code_of(whole[: len(whole) // 2]) == "input.truncated"

    @pytest.mark.parametrize("kind", ["png", "jpeg", "jpeg progressive", "webp lossless", "tiff lzw", "gif"])
    def test_half_a_file_filled_up_with_zeros(self, kind):
        whole = KINDS[kind]
        half = whole[: len(whole) // 2]
        assert code_of(half + bytes(len(whole) - len(half))) == "input.truncated"

    def test_signature_alone(self):
        assert code_of(b"\x89PN") == "input.truncated"
        assert code_of(PNG_SIGNATURE) == "input.truncated"

    def test_damaged_pixels(self):
        whole = bytearray(KINDS["png"])
        at = whole.index(b"IDAT") + 40
        whole[at : at + 20] = bytes(20)
        assert code_of(bytes(whole)) == "input.truncated"

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "HTML"),
            (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
            (b"just some words\n", "text"),
            (b"BMW is not a bitmap", "text"),
            (b"%PDF-1.7\n", "PDF"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
            (b"PK\3\4\0\0", "ZIP"),
            (bytes(range(200, 232)), "unknown kind"),
        ],
    )
    def test_no_image(self, data, word):
        with pytest.raises(ItemError, match=word) as caught:
            decode(data)
        assert caught.value.code == "input.not_an_image"

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (saved(scene(), "JPEG2000"), "JPEG 2000"),
            (saved(scene(), "ICO"), "ICO"),
            (saved(scene(), "PPM"), "PNM"),
            (b"8BPS\0\1\0\0", "PSD"),
            (b"\xff\x0a\0\0", "JPEG XL"),
        ],
    )
    def test_image_of_a_format_that_is_not_read(self, data, word):
        with pytest.raises(ItemError, match=word) as caught:
            decode(data)
        assert caught.value.code == "input.unsupported_mode"
        assert "convert it to" in caught.value.message


class TestLimits:
    def test_decompression_bomb_is_refused_undecoded(self):
        side = 32_768
        squeeze = zlib.compressobj(9)
        rows = b"".join(squeeze.compress(bytes(1 + side // 8) * 256) for _ in range(side // 256)) + squeeze.flush()
        bomb = b"".join([PNG_SIGNATURE, png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
                         png_chunk(b"IDAT", rows), png_chunk(b"IEND", b"")])
        assert len(bomb) < 200_000
        peak_kib, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        assert code_of(bomb) == "input.too_large"
        assert time.perf_counter() - start < 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib < 100_000

    @pytest.mark.parametrize("limit", [6 * 4 - 1, 6 * 4])
    def test_only_the_header_is_asked(self, limit):
        # The header is whole and says 6 x 4; of the pixels there is nothing.
        header_only = png(np.zeros((1, 1)), 8, 0, size=(6, 4))[:60]
        expected = "input.too_large" if limit < 24 else "input.truncated"
        assert code_of(header_only, limits=Limits(max_pixels=limit)) == expected

    @pytest.mark.parametrize("kind", KINDS)
    def test_pixels_of_every_format(self, kind):
        assert code_of(KINDS[kind], limits=Limits(max_pixels=64 * 48 - 1)) == "input.too_large"
        assert decode(KINDS[kind], Limits(max_pixels=64 * 48)).pixels.shape == (48, 64, 3)

    def test_tile_bigger_than_its_picture(self):
        tags = {322: (4, [60_000]), 323: (4, [60_000]), 324: (4, [8]), 325: (4, [12])}
        assert code_of(tiff(np.zeros((2, 2, 3), np.uint8), photometric=2, tags=tags)) == "input.too_large"

    def test_bytes_of_the_file(self):
        assert code_of(KINDS["png"], limits=Limits(max_bytes=len(KINDS["png"]) - 1)) == "input.too_large"

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4000), (4000, 1)])
    def test_one_pixel_sides(self, height, width):
        pixels = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture = decode(saved(Image.fromarray(pixels), "PNG"))
        np.testing.assert_array_equal(picture.pixels, pixels)
        for kind in WRITTEN:
            assert decode(encode(picture, kind, 90)).pixels.shape == (height, width, 3)


class TestFrames:
    pages = (scene(), scene().rotate(180))
    files: ClassVar = {
        "gif": saved(pages[0].quantize(64), "GIF", save_all=True, append_images=[pages[1].quantize(64)]),
        "webp": saved(pages[0], "WEBP", save_all=True, append_images=[pages[1]], lossless=True),
        "png": saved(pages[0], "PNG", save_all=True, append_images=[pages[1]]),
        "tiff": saved(pages[0], "TIFF", save_all=True, append_images=[pages[1]]),
        "avif": saved(pages[0], "AVIF", save_all=True, append_images=[pages[1]], quality=90),
    }

    @pytest.mark.parametrize("kind", files)
    def test_the_first_is_taken_and_noted(self, kind):
        assert probe(self.files[kind]).has_more_frames
        picture = decode(self.files[kind])
        assert picture.notes == ("first_frame",)
        first = np.asarray(Image.open(io.BytesIO(self.files[kind])).convert("RGB"))
        np.testing.assert_array_equal(picture.pixels, first)
        assert np.abs(first.astype(int) - np.asarray(self.pages[0])).mean() < 10

    @pytest.mark.parametrize("kind", files)
    def test_or_none_if_asked(self, kind):
        assert code_of(self.files[kind], frames="refuse") == "input.animated"
        assert decode(KINDS[kind], frames="refuse").notes == ()

    def test_a_page_that_cannot_be_read_does_not_cost_the_first(self):
        mixed = saved(self.pages[0], "TIFF", save_all=True, append_images=[self.pages[1]])
        cut = mixed[: len(mixed) - 100]
        np.testing.assert_array_equal(decode(cut).pixels, np.asarray(self.pages[0]))

    def test_a_phone_photograph_with_a_preview_is_one_picture(self):
        photo = saved(self.pages[0], "MPO", save_all=True, append_images=[self.pages[1].resize((16, 12))])
        assert decode(photo, frames="refuse").format == "jpeg"


class TestOrientation:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_applied_once_and_not_written(self, kind, orientation):
        exif = Image.Exif()
        exif[274] = orientation
        exif.get_ifd(0x8825)[1] = "N"  # GPSLatitudeRef
        lossless = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(kind, {})
        data = saved(scene(20, 30), kind, exif=exif, **lossless)
        picture = decode(data)
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(picture.pixels, np.asarray(expected.convert("RGB")))
        assert picture.pixels.shape == ((30, 20, 3) if orientation >= 5 else (20, 30, 3))
        assert picture.pixels.flags.c_contiguous
        assert picture.notes == (() if orientation == 1 else ("exif_rotated",))
        for output in WRITTEN:
            written = encode(picture, output, 90)
            exif = Image.open(io.BytesIO(written)).getexif()
            assert 0x8825 not in exif
            assert exif.get(274, 1) == 1
            assert decode(written).notes == ()

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turns_alpha_too(self, orientation):
        alpha = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
        image = scene(20, 30)
        image.putalpha(Image.fromarray(alpha))
        exif = Image.Exif()
        exif[274] = orientation
        picture = decode(saved(image, "PNG", exif=exif))
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(image, "PNG", exif=exif))))
        np.testing.assert_array_equal(picture.alpha, np.asarray(expected)[..., 3])

    @pytest.mark.parametrize("junk", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*" + b"\xff" * 40])
    def test_damaged_metadata_costs_no_picture(self, junk):
        np.testing.assert_array_equal(decode(saved(scene(), "PNG", exif=junk)).pixels, np.asarray(scene()))


class TestEncode:
    @given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12).map(lambda shape: (*shape, 4))))
    @settings(deadline=None, max_examples=60)
    def test_png_gives_back_every_picture(self, pixels):
        picture = Picture(np.ascontiguousarray(pixels[..., :3]), pixels[..., 3].copy(), "png")
        back = decode(encode(picture, "png", 90))
        seen = picture.alpha > 0
        np.testing.assert_array_equal(back.pixels[seen], picture.pixels[seen])
        np.testing.assert_array_equal(back.alpha, picture.alpha)
        opaque = decode(encode(Picture(picture.pixels, None, "png"), "png", 90))
        np.testing.assert_array_equal(opaque.pixels, picture.pixels)
        assert opaque.alpha is None

    @pytest.mark.parametrize("kind", WRITTEN)
    def test_same_pixels_same_bytes(self, kind):
        picture = decode(KINDS["png"])
        data = encode(picture, kind, 90)
        assert data == encode(Picture(picture.pixels.copy(), None, "jpeg", ("icc_converted",)), kind, 90)
        assert probe(data).format == kind
        error = np.abs(decode(data).pixels.astype(int) - picture.pixels).mean()
        assert error == 0 if kind in ("png", "tiff") else error < 3

    @pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
    def test_quality_costs_bytes(self, kind):
        noise = Picture(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), None, "png")
        assert len(encode(noise, kind, 95)) > 1.5 * len(encode(noise, kind, 40))

    def test_alpha_is_carried_or_laid_on_white(self):
        alpha = np.zeros((16, 16), np.uint8)
        alpha[:, 8:] = 255
        picture = Picture(np.full((16, 16, 3), 40, np.uint8), alpha, "png")
        for kind in ("webp", "tiff", "avif"):
            np.testing.assert_array_equal(decode(encode(picture, kind, 90)).alpha, alpha)
        assert loses_alpha(picture, "jpeg")
        assert not loses_alpha(picture, "webp")
        flat = decode(encode(picture, "jpeg", 95))
        assert flat.alpha is None
        assert flat.pixels[:, :7].min() > 245
        assert np.abs(flat.pixels[:, 9:].astype(int) - 40).max() < 10

    def test_a_side_that_the_format_cannot_hold(self):
        picture = Picture(np.zeros((1, 16_384, 3), np.uint8), None, "png")
        with pytest.raises(ItemError, match="choose png") as caught:
            encode(picture, "webp", 90)
        assert caught.value.code == "output.invalid"
        assert decode(encode(picture, "png", 90)).pixels.shape == (1, 16_384, 3)


class TestHostile:
    @given(st.binary(max_size=200))
    @settings(deadline=None, max_examples=100)
    def test_any_bytes(self, data):
        _decodes_or_refuses(data)

    @given(st.sampled_from([b"\xff\xd8\xff", PNG_SIGNATURE, b"GIF89a", b"II*\0", b"MM\0*", b"RIFF\0\1\0\0WEBPVP8L",
                            b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
                            b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"]), st.binary(max_size=200))
    @settings(deadline=None, max_examples=150)
    def test_any_bytes_behind_a_signature(self, signature, data):
        _decodes_or_refuses(signature + data)

    @given(st.sampled_from(sorted(KINDS)), st.data())
    @settings(deadline=None, max_examples=300)
    def test_any_change_to_a_real_file(self, kind, data):
        whole = bytearray(KINDS[kind])
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(whole) - 1))
            whole[at : at + data.draw(st.integers(1, 3))] = data.draw(st.binary(max_size=4))
            whole = whole or bytearray(b"\0")
        _decodes_or_refuses(bytes(whole))


def _decodes_or_refuses(data):
    outcome = outcome_of(data, Limits(max_pixels=1_000_000))
    if isinstance(outcome, ItemError):
        assert outcome.code.startswith("input.")
    else:
        assert outcome.pixels.dtype == np.uint8
        assert outcome.pixels.shape[2] == 3
        assert outcome.alpha is None or outcome.alpha.shape == outcome.pixels.shape[:2]


class TestKeys:
    def test_extensions_are_known_in_either_case(self):
        assert has_image_extension("a/b.JPG")
        assert has_image_extension("a.b/c.tiff")
        assert not has_image_extension("a.png/readme")
        assert not has_image_extension("folder/.png")
        assert not has_image_extension("a.png/")
        assert not has_image_extension("notes.txt")

    @pytest.mark.parametrize(
        ("key", "kind", "expected"),
        [
            ("a/b.jpeg", "jpeg", "a/b.jpeg"),
            ("a/b.JPG", "jpeg", "a/b.JPG"),
            ("a/b.tif", "png", "a/b.png"),
            ("a/b.png", "jpeg", "a/b.jpg"),
            ("scan.v2", "webp", "scan.v2.webp"),
            ("a.png/b", "png", "a.png/b.png"),
            (".png", "png", ".png.png"),
        ],
    )
    def test_with_extension(self, key, kind, expected):
        assert with_extension(key, kind) == expected

    def test_keep_writes_what_can_be_written(self):
        assert {output_format(kind) for kind in WRITTEN} == set(WRITTEN)
        assert [output_format(kind) for kind in ("gif", "bmp", "heic")] == ["png", "png", "jpeg"]


class TestGif:
    """A GIF is looked through before Pillow lays out a canvas for it."""

    @staticmethod
    def frame(side, color=1):
        image = Image.new("P", (side, side), color)
        image.putpalette([0, 0, 0, 200, 10, 20])
        return image

    def test_a_large_screen_takes_no_memory_before_it_is_refused(self):
        side = 60_000
        control, picture = b"\x21\xf9\x04\x08\0\0\0\0", b"\x2c" + struct.pack("<HHHH", 0, 0, side, side)
        bomb = (b"GIF89a" + struct.pack("<HH", side, side) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
                + control + picture + b"\0\x02\x02\x44\x01\0;")
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert probe(bomb).width == side
        assert code_of(bomb) == "input.too_large"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib < 50_000

    @pytest.mark.parametrize("disposal", range(4))
    def test_the_first_frame_whatever_becomes_of_it(self, disposal):
        data = saved(self.frame(8), "GIF", save_all=True, append_images=[self.frame(8, 0)], disposal=disposal)
        picture = decode(data)
        assert (picture.pixels == (200, 10, 20)).all()
        assert picture.notes == ("first_frame",)

    def test_a_million_frames(self):
        data = saved(self.frame(8), "GIF", save_all=True, append_images=[self.frame(8, 0)], disposal=2)
        last = data[data.rindex(b"\x21\xf9") : -1]
        many, start = data[:-1] + last * 1_000_000 + b";", time.process_time()
        assert decode(many).notes == ("first_frame",)
        assert time.process_time() - start < 2

    def test_millions_of_tiny_blocks(self):
        comment = b"\x21\xfe" + b"\x01a" * 2_500_000 + b"\0"
        data = saved(self.frame(8), "GIF")
        at = data.index(b"\x2c")  # the frame, behind the palette
        assert code_of(data[:at] + comment + data[at:]) == "input.too_slow"
