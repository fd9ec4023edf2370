"""JPEG."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from translate.errors import ItemError
from translate.images.formats._contract import Header, ImageFormat, Writer, saved

if TYPE_CHECKING:
    from PIL import Image

_NEXT_SEGMENT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""Within a scan a byte 255 is followed by a zero, or by one of the eight restart marks."""
_SCAN, _END = 0xDA, 0xD9
_USUAL_SCANS = 20
"""A progressive JPEG has some ten, each a walk over the whole picture."""
_MOST_SCANS = 500
_MOST_SCANNED_PX = 2_000_000_000
"""Pixels times scans, beyond the usual number of scans: some five seconds of a picture with nothing in it."""


def _open(data: bytes) -> Header:
    # Not `PIL.Image.open`, which takes the extra pictures in a phone's JPEG (previews, gain maps) for frames.
    return Header(JpegImageFile(io.BytesIO(data)))


def _check(data: bytes, header: Header) -> None:
    """Raises `ItemError` ``input.too_slow`` or ``input.damaged``."""
    total_scans = _count_scans(data)
    scanned_px = total_scans * header.image.width * header.image.height
    if total_scans > _MOST_SCANS or (total_scans > _USUAL_SCANS and scanned_px > _MOST_SCANNED_PX):
        raise ItemError("input.too_slow", f"the JPEG stores its picture in {total_scans} scans, each of which takes as "
                                          f"long as a picture; at most {_USUAL_SCANS} are usual: save it again")
    if words := _damage(data):
        raise ItemError("input.damaged", f"the JPEG is damaged in its middle, and part of the picture would be wrong "
                                         f"({words}); upload it again, or repair it in an image editor")


def _count_scans(data: bytes) -> int:
    """Scans of the first picture in a file, by its marks; the data between them is not read."""
    at, total = 2, 0
    while at + 4 <= len(data):
        if data[at] != 0xFF or data[at + 1] in (0, 0xFF):
            at += 1
            continue
        mark = data[at + 1]
        if mark == _END:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if mark == _SCAN:
            total += 1
            following = _NEXT_SEGMENT.search(data, at)
            at = following.start() if following else len(data)
    return total


def _damage(data: bytes) -> str:
    """What libjpeg says of data that do not add up, and Pillow does not pass on; empty if they do.

    Costs half of the decoding again: a picture of an eighth of the size is made, in grey, for which all data are read.
    A file that simplejpeg refuses altogether is left to Pillow, and so is one that is cut at its end.
    """
    try:
        simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        found, _, words = str(error).partition("Corrupt JPEG data: ")
        return "" if found else words
    return ""


def _save(image: Image.Image, quality: int, xmp: bytes, exif: bytes) -> bytes:
    # Colour at full resolution: paintings have sharp edges between hues.
    return saved(image, "JPEG", quality=quality, subsampling=0, xmp=xmp, exif=exif)


FORMAT = ImageFormat(
    name="jpeg",
    title="JPEG",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    content_type="image/jpeg",
    open=_open,
    signatures=(b"\xff\xd8\xff",),
    check=_check,
    writer=Writer(_save, carries_alpha=False, longest_side_px=65_500),
)
