"""PNGs whose pixels are whole and whose metadata are not: every browser shows them."""

import io
import struct
import zlib

import numpy as np
import pytest
from image_files import P3_PRIMARIES, png_chunk, rgb_profile
from PIL import Image, PngImagePlugin

from translate.errors import ItemError
from translate.images.codec import decode

PIXELS = np.random.default_rng(4).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def whole(**options):
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", **options)
    return out.getvalue()


def with_chunks(*chunks):
    data = whole()
    return data[:33] + b"".join(chunks) + data[33:]


def damaged(chunk):
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


XMP = b"XML:com.adobe.xmp\0"
ODD = {
    "comment with a wrong checksum": ([damaged(png_chunk(b"tEXt", b"Software\0x"))], ("metadata_dropped",)),
    "profile with a wrong checksum": ([damaged(png_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"p")))], ("icc_invalid",)),
    "profile of an unknown method": ([png_chunk(b"iCCP", b"x\0\1abc")], ("icc_invalid",)),
    "profile that does not inflate": ([png_chunk(b"iCCP", b"x\0\0abc")], ("icc_invalid",)),
    "short pHYs": ([png_chunk(b"pHYs", b"\0\0\0\1")], ()),
    "empty sRGB": ([png_chunk(b"sRGB", b"")], ()),
    "short cHRM": ([png_chunk(b"cHRM", bytes(7))], ()),
    "long comment": ([png_chunk(b"tEXt", b"workflow\0" + b"a" * 3_000_000)], ()),
    "long compressed comment": ([png_chunk(b"zTXt", b"steps\0\0" + zlib.compress(b"20, " * 600_000))], ()),
    "long compressed XMP": ([png_chunk(b"iTXt", XMP + b"\1\0\0\0" + zlib.compress(b"<a/>" * 800_000))],
                            ("metadata_dropped",)),
    "70 MB of comments": ([png_chunk(b"tEXt", b"k\0" + b"x" * 7_000_000)] * 10, ()),
    "70 MB of XMP": ([png_chunk(b"iTXt", XMP + b"\0\0\0\0" + b"x" * 7_000_000)] * 10, ("metadata_dropped",)),
    "animation of one frame": ([png_chunk(b"acTL", struct.pack(">II", 1, 0))], ()),
    "EXIF that is none": ([png_chunk(b"eXIf", b"garbage")], ()),
    "PQ": ([png_chunk(b"cICP", bytes([9, 16, 0, 1]))], ("color_ignored",)),
    "sRGB in words": ([png_chunk(b"cICP", bytes([1, 13, 0, 1]))], ()),
    "linear": ([png_chunk(b"gAMA", struct.pack(">I", 100_000))], ("color_ignored",)),
    "usual gamma": ([png_chunk(b"gAMA", struct.pack(">I", 45_455))], ()),
    "gamma beside sRGB": ([png_chunk(b"sRGB", b"\0"), png_chunk(b"gAMA", struct.pack(">I", 55_556))], ()),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_metadata_cost_no_picture(kind):
    chunks, notes = ODD[kind]
    picture = decode(with_chunks(*chunks), exif="keep")
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.notes == notes


def test_metadata_behind_the_pixels_too():
    data = whole()
    picture = decode(data[:-12] + damaged(png_chunk(b"tEXt", b"Software\0x")) + data[-12:])
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.notes == ("metadata_dropped",)


def test_a_large_profile_is_applied():
    profile = rgb_profile(P3_PRIMARIES)
    picture = decode(whole(icc_profile=profile + b"\0" * 3_000_000))
    np.testing.assert_array_equal(picture.pixels, decode(whole(icc_profile=profile)).pixels)
    assert picture.notes == ("icc_converted",)


def test_orientation_in_an_old_text_counts():
    """ImageMagick has written EXIF like this for twenty years."""
    exif = Image.Exif()
    exif[274] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n", zip=True)
    picture = decode(whole(pnginfo=text))
    np.testing.assert_array_equal(picture.pixels, np.rot90(PIXELS, -1))
    assert picture.notes == ("exif_rotated",)


@pytest.mark.parametrize("name", [b"IDAT", b"PLTE", b"IHDR"])
def test_damage_that_decides_pixels_is_refused(name):
    out = io.BytesIO()
    Image.fromarray(PIXELS).quantize(16).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[data.index(name) + 6] ^= 0xFF
    with pytest.raises(ItemError) as caught:
        decode(bytes(data))
    assert caught.value.code in ("input.truncated", "input.too_large")
