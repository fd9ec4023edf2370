"""What each declared image format promises, and AVIF and HEIC, which are boxes in boxes."""

import contextlib
import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from image_files import P3_PRIMARIES, rgb_profile
from PIL import Image

from translate import lookup
from translate.errors import ItemError, UnknownNameError
from translate.images._sniff import sniff
from translate.images.codec import decode, encode, probe
from translate.images.formats import EXTENSIONS, FORMATS, WRITTEN, named, titles
from translate.images.mark import Mark, read_mark, to_xmp
from translate.images.picture import Limits, Picture

FILES = Path(__file__).parents[2] / "heif"
"""What nothing that we install writes: HEIC by pillow-heif 1.8.1, AVIF of 10 bits by imagecodecs; all of `scene`."""
HEIC = {path.stem: path.read_bytes() for path in sorted(FILES.glob("*.heic"))}
ANYTHING = Mark("any", *["sha256:" + "0" * 64] * 3)


def scene(height=48, width=64):
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 60 + 120 * (x > y)], axis=-1)
    return pixels.astype(np.uint8)


def avif(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "AVIF", quality=90, **options)
    return out.getvalue()


def code_of(data, **options):
    with pytest.raises(ItemError) as caught:
        decode(data, **options)
    return caught.value.code


def error(picture, pixels):
    return np.abs(picture.pixels.astype(int) - pixels).max()


class TestDeclarations:
    def test_file_names_are_public_names(self):
        assert [format_.name for format_ in FORMATS.values()] == lookup.names("translate.images.formats")
        assert [sniff(HEIC["photo"]), sniff(avif(scene()))] == ["heic", "avif"]

    def test_an_extension_promises_one_format(self):
        assert len(EXTENSIONS) == sum(len(format_.suffixes) for format_ in FORMATS.values())
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in EXTENSIONS)

    def test_what_is_only_read_is_kept_as_something_that_is_written(self):
        assert all(format_.writer or format_.kept_as in WRITTEN for format_ in FORMATS.values())

    def test_extensions_are_names_too(self):
        assert [named(word).name for word in ("jpg", "tif", "jpeg", "avif")] == ["jpeg", "tiff", "jpeg", "avif"]
        with pytest.raises(UnknownNameError, match="known: avif, jpeg, keep, png, tiff, webp"):
            named("gif")

    def test_readme_lists_every_format(self):
        readme = (Path(__file__).parents[3] / "translate/images/README.md").read_text(encoding="utf-8")
        rows = {line.split("|")[1].strip(): line for line in readme.splitlines() if line.startswith("| ")}
        for format_ in FORMATS.values():
            row = rows[format_.title]
            assert f"| {', '.join(format_.suffixes)} |" in row
            assert ("no, `keep` makes it" not in row) == (format_.writer is not None), row
        assert titles() in readme

    @pytest.mark.parametrize("name", WRITTEN)
    def test_what_is_written_is_read_again(self, name):
        alpha = np.tile(np.arange(64, dtype=np.uint8), (48, 1)) + np.uint8(1)
        data = encode(Picture(scene(), alpha, "png"), name, 90, to_xmp(ANYTHING))
        picture = decode(data)
        assert sniff(data) == picture.format == name
        assert read_mark(data) == ANYTHING
        assert (picture.alpha is not None) == FORMATS[name].writer.carries_alpha
        assert picture.alpha is None or np.array_equal(picture.alpha, alpha)

    @pytest.mark.parametrize("name", WRITTEN)
    def test_a_side_may_be_as_long_as_declared(self, name):
        longest = min(FORMATS[name].writer.longest_side_px, 70_000)
        line = Picture(np.zeros((1, longest, 3), np.uint8), None, "png")
        assert decode(encode(line, name, 90)).pixels.shape == (1, longest, 3)


class TestAvif:
    def test_ten_bits_come_as_eight_with_a_note(self):
        data = (FILES / "ten_bits.avif").read_bytes()
        picture = decode(data)
        assert picture.notes == ("precision_16_to_8",)
        assert error(picture, scene()) <= 10

    def test_profile(self):
        picture = decode(avif(scene(), icc_profile=rgb_profile(P3_PRIMARIES)))
        assert picture.notes == ("icc_converted",)
        assert error(picture, scene()) > 50

    def test_the_size_in_the_header_is_believed_before_a_pixel_is_decoded(self):
        assert code_of(with_size(avif(scene()), 16_000, 16_000)) == "input.too_large"

    def test_a_curve_of_high_dynamic_range_is_noted(self):
        data = bytearray(avif(scene()))
        struct.pack_into(">H", data, data.index(b"nclx") + 6, 16)  # PQ
        assert "color_ignored" in decode(bytes(data)).notes

    def test_brands_may_come_in_any_order(self):
        data = avif(scene())
        assert data[8:12] == b"avif"
        assert sniff(data[:8] + b"mif1" + data[12:]) == "avif"


class TestHeic:
    def test_photograph(self):
        picture = decode(HEIC["photo"])
        assert error(picture, scene()) <= 6
        assert (picture.format, picture.alpha, picture.notes) == ("heic", None, ())
        facts = probe(HEIC["photo"])
        assert (facts.width, facts.height, facts.has_more_frames) == (64, 48, False)

    def test_alpha(self):
        alpha = decode(HEIC["alpha"]).alpha
        assert (alpha[:, :31] == 0).all()
        assert (alpha[:, 33:] == 255).all()

    def test_tiles_as_phones_write_them(self):
        assert error(decode(HEIC["grid"]), scene(192, 256)) <= 8

    def test_turned_once(self):
        picture = decode(HEIC["turned"], exif="keep")
        assert error(picture, np.rot90(scene(), -1)) <= 6
        exif = Image.Exif()
        exif.load(picture.exif)
        assert (exif[271], exif.get(274, 1)) == ("Maker", 1)

    @pytest.mark.parametrize(("name", "note"), [("display_p3", "icc_converted"), ("ten_bits", "precision_16_to_8"),
                                                ("two_pictures", "first_frame")])
    def test_notes(self, name, note):
        assert decode(HEIC[name]).notes == (note,)

    def test_or_refused_if_asked(self):
        assert code_of(HEIC["two_pictures"], frames="refuse") == "input.animated"

    @pytest.mark.parametrize("name", HEIC)
    def test_cut_anywhere(self, name):
        whole = HEIC[name]
        ends = range(16, len(whole), max(1, len(whole) // 100))
        assert {code_of(whole[:end]) for end in ends} == {"input.truncated"}

    def test_limits_hold_before_a_pixel_is_decoded(self):
        assert code_of(HEIC["photo"], limits=Limits(max_pixels=64 * 48 - 1)) == "input.too_large"
        assert code_of(with_size(HEIC["grid"], 30_000, 30_000)) == "input.too_large"

    def test_a_large_picture_of_which_a_small_part_is_shown(self):
        data = with_size(HEIC["photo"], 30_000, 30_000)
        assert b"clap" in data
        assert probe(data).width == 64
        assert code_of(data) == "input.too_large"

    @pytest.mark.parametrize("at", range(0, 1400, 7))
    def test_any_change_ends_in_a_picture_or_a_code(self, at):
        data = bytearray(HEIC["grid"])
        data[at] ^= 0xFF
        with contextlib.suppress(ItemError):
            assert decode(bytes(data), Limits(max_pixels=1_000_000)).pixels.dtype == np.uint8

    def test_without_the_extra_the_way_out_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(ItemError, match=r"pip install 'translate-images\[heic\]'") as caught:
            decode(HEIC["photo"])
        assert caught.value.code == "input.unsupported_mode"


def with_size(data, width, height):
    """The same file with another size in every picture's header."""
    data, at = bytearray(data), -1
    while (at := data.find(b"ispe", at + 1)) >= 0:
        struct.pack_into(">II", data, at + 8, width, height)
    return bytes(data)
