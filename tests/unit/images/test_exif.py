"""EXIF goes out only where it is asked for, upright, and without what it said of other pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from translate.images._exif import MAX_BYTES
from translate.images.codec import decode, encode
from translate.images.formats import WRITTEN
from translate.images.mark import Mark, read_mark, to_xmp

MARK = Mark("tiny@1", *("sha256:" + digit * 64 for digit in "abc"))
TIME, NOTE, WIDTH, EXPOSURE = 36867, 37500, 40962, 33434


def photograph(format_: str, *, comment: bytes = b"") -> bytes:
    """A picture on its side, as a phone writes it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Somebody Real"
    exif[ExifTags.Base.XResolution] = 300
    camera = {TIME: "2024:01:02 03:04:05", NOTE: b"the maker's", WIDTH: 30, EXPOSURE: 0.004}
    exif.get_ifd(ExifTags.IFD.Exif).update(camera | ({37510: comment} if comment else {}))
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2)})
    exif.get_ifd(ExifTags.IFD.IFD1)[ExifTags.Base.Compression] = 6
    out = io.BytesIO()
    pixels = np.random.default_rng(2).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, format_.upper(), exif=exif.tobytes())
    return out.getvalue()


@pytest.mark.parametrize("to", WRITTEN)
@pytest.mark.parametrize("format_", WRITTEN)
def test_what_was_asked_for_is_kept(format_, to):
    picture = decode(photograph(format_), exif="keep")
    assert picture.notes == ("exif_rotated",)
    data = encode(picture, to, 100, to_xmp(MARK))
    assert read_mark(data) == MARK
    exif = Image.open(io.BytesIO(data)).getexif()
    assert exif[ExifTags.Base.Artist] == "Somebody Real"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert (place[1], place[2]) == ("N", (48.0, 51.0, 29.6))
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    assert (camera[TIME], float(camera[EXPOSURE])) == ("2024:01:02 03:04:05", 0.004)
    assert not {NOTE, WIDTH} & set(camera)
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    assert b"the maker's" not in data
    again = decode(data)
    assert again.notes == ()
    assert again.pixels.shape == (30, 20, 3)
    assert to not in ("png", "tiff") or np.array_equal(again.pixels, picture.pixels)
    assert data == encode(picture, to, 100, to_xmp(MARK)), "a repeat gives the same bytes"


@pytest.mark.parametrize("format_", WRITTEN)
def test_else_nothing_is(format_):
    assert decode(photograph(format_)).exif == b""


def test_pictures_without_have_none():
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "TIFF")
    assert decode(out.getvalue(), exif="keep").exif == b""


@pytest.mark.parametrize("format_", ["png", "webp"])
def test_what_a_jpeg_cannot_hold_is_lost_with_a_note(format_):
    picture = decode(photograph(format_, comment=b"x" * MAX_BYTES), exif="keep")
    assert (picture.exif, picture.notes) == (b"", ("exif_rotated", "exif_lost"))


def test_damaged_exif_costs_no_picture():
    whole = photograph("jpeg")
    start = whole.index(b"Exif\0\0")
    rng = np.random.default_rng(5)
    lost = 0
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(start + 6, start + 290, 6):
            data[at] = rng.integers(256)
        picture = decode(bytes(data), exif="keep")
        for to in WRITTEN:
            encode(picture, to, 90, to_xmp(MARK))
        lost += "exif_lost" in picture.notes
    assert 0 < lost < 300


@pytest.mark.parametrize("to", WRITTEN)
def test_letters_beyond_ascii_are_kept(to):
    """Phones and photo software write UTF-8 where EXIF says ASCII."""
    words = {ExifTags.Base.ImageDescription: "Größe, café", ExifTags.Base.Artist: "José Müller",
             ExifTags.Base.Copyright: "© 2024 Łukasz"}
    lens = {ExifTags.Base.LensModel: "Objectif à portrait"}
    exif = Image.Exif()
    exif.update({tag: text.encode() for tag, text in words.items()})
    source = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(source, "JPEG", exif=with_lens(exif, lens))
    for _ in range(2):  # once more from what was written
        data = encode(decode(source.getvalue(), exif="keep"), to, 90)
        found = Image.open(io.BytesIO(data)).getexif()
        assert {tag: stored(found[tag]) for tag in words} == words
        assert {tag: stored(found.get_ifd(ExifTags.IFD.Exif)[tag]) for tag in lens} == lens
        source = io.BytesIO(data)


def stored(text):
    return text.encode("latin-1").decode()


def with_lens(exif, lens):
    """Pillow writes question marks for such texts: they are put in place of others of the same length."""
    for tag, text in lens.items():
        exif.get_ifd(ExifTags.IFD.Exif)[tag] = "?" * len(text.encode())
    data = exif.tobytes()
    for text in lens.values():
        data = data.replace(b"?" * len(text.encode()), text.encode())
    return data
