"""JPEGs that are damaged in their middle, or take for ever."""

import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from translate.errors import ItemError
from translate.images.codec import decode, encode
from translate.images.picture import Picture

PHOTO = (Path(__file__).parents[3] / "translate/shipped/samples/photos/beach5.jpg").read_bytes()


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, **options)
    return out.getvalue()


def code_of(data):
    with pytest.raises(ItemError) as caught:
        decode(data)
    return caught.value.code


def outcome_of(data):
    try:
        decode(data)
    except ItemError as error:
        return error.code
    return "ok"


def photo(mode="RGB", **options):
    return jpeg(Image.open(io.BytesIO(PHOTO)).convert(mode), **options)


def harmed(data, at, how):
    """The file with 512 bytes there lost, zeroed, or another file's."""
    if how == "lost":
        return data[:at] + data[at + 512 :]
    other = bytes(512) if how == "zeros" else np.random.default_rng(at).integers(0, 255, 512, np.uint8).tobytes()
    return data[:at] + other.replace(b"\xff", b"\xfe") + data[at + 512 :]


@pytest.mark.parametrize("how", ["lost", "zeros", "garbage"])
@pytest.mark.parametrize("kind", ["RGB", "L", "CMYK", "progressive", "restarts"])
def test_a_part_that_is_wrong_is_refused(kind, how):
    options = {"progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 4}}
    data = photo(kind if kind in ("L", "CMYK") else "RGB", **options.get(kind, {}))
    assert decode(data).pixels.shape == (360, 720, 3)
    codes = [outcome_of(harmed(data, len(data) * part // 10, how)) for part in range(3, 9)]
    assert set(codes) <= {"input.damaged", "input.truncated", "ok"}
    assert codes.count("ok") <= 1, "by chance the data may add up again"
    assert "input.damaged" in codes


def test_the_message_says_what_libjpeg_said():
    with pytest.raises(ItemError, match=r"premature end of data segment|extraneous bytes") as caught:
        decode(harmed(PHOTO, len(PHOTO) // 2, "lost"))
    assert caught.value.code == "input.damaged"


@pytest.mark.parametrize("tail", [b"", b"\0" * 4096, b"a trailer of a phone\xff\xd8\xff"])
def test_what_follows_the_picture_is_no_damage(tail):
    np.testing.assert_array_equal(decode(PHOTO + tail).pixels, np.asarray(Image.open(io.BytesIO(PHOTO))))


def test_our_own_are_whole():
    for quality in (1, 50, 100):
        picture = Picture(np.asarray(Image.open(io.BytesIO(PHOTO))), None, "png")
        assert decode(encode(picture, "jpeg", quality)).pixels.shape == (360, 720, 3)


def with_scans(side, total):
    """A progressive JPEG whose last scan is repeated."""
    data = jpeg(Image.new("RGB", (side, side), (90, 120, 60)), progressive=True)
    scans = [found.start() for found in re.finditer(rb"\xff\xda", data)]
    return data[:-2] + data[scans[-1] : -2] * (total - len(scans)) + b"\xff\xd9"


@pytest.mark.parametrize(("side", "total"), [(3000, 300), (64, 2000)])
def test_hundreds_of_scans_are_counted_not_decoded(side, total):
    data, start = with_scans(side, total), time.process_time()
    assert code_of(data) == "input.too_slow"
    assert time.process_time() - start < 1


def test_some_scans_more_than_usual_are_decoded():
    assert decode(with_scans(300, 100)).pixels.shape == (300, 300, 3)


def test_scans_of_a_preview_do_not_count():
    """A phone's JPEG holds another one in its EXIF; its marks are no scans of the picture."""
    preview = Image.Exif()
    preview[0x010E] = "words \xff\xda" * 600  # any tag will do
    assert decode(jpeg(Image.new("RGB", (3000, 3000)), exif=preview)).pixels.shape == (3000, 3000, 3)
    assert decode(PHOTO + with_scans(64, 2000)).pixels.shape == (360, 720, 3)
