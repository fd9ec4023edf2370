"""JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL.JpegImagePlugin import JpegImageFile

from translate.images.formats._contract import Header, ImageFormat, Writer, saved

if TYPE_CHECKING:
    from PIL import Image


def _open(data: bytes) -> Header:
    # Not `PIL.Image.open`, which takes the extra pictures in a phone's JPEG (previews, gain maps) for frames.
    return Header(JpegImageFile(io.BytesIO(data)))


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
    writer=Writer(_save, carries_alpha=False, longest_side_px=65_500),
)
