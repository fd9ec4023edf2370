"""WebP."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL.WebPImagePlugin import WebPImageFile

from translate.images.formats._contract import Header, ImageFormat, Writer, saved

if TYPE_CHECKING:
    from PIL import Image


def _open(data: bytes) -> Header:
    image = WebPImageFile(io.BytesIO(data))
    return Header(image, has_more_frames=getattr(image, "n_frames", 1) > 1)


def _save(image: Image.Image, quality: int, xmp: bytes, exif: bytes) -> bytes:
    return saved(image, "WEBP", quality=quality, method=2, xmp=xmp, exif=exif)


FORMAT = ImageFormat(
    name="webp",
    title="WebP",
    suffixes=(".webp",),
    content_type="image/webp",
    open=_open,
    matches=lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
    writer=Writer(_save, carries_alpha=True, longest_side_px=16_383),
)
