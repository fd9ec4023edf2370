"""AVIF."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL.AvifImagePlugin import AvifImageFile

from translate.images.formats import _isobmff
from translate.images.formats._contract import Header, ImageFormat, Writer, saved

if TYPE_CHECKING:
    from PIL import Image

BRANDS = {b"avif", b"avis"}
"""Of a still picture and of an animation."""


def _open(data: bytes) -> Header:
    image = AvifImageFile(io.BytesIO(data))
    return _isobmff.properties(data).header(image, turned=0)


def _save(image: Image.Image, quality: int, xmp: bytes, exif: bytes) -> bytes:
    return saved(
        image,
        "AVIF",
        quality=quality,
        subsampling="4:4:4",  # as in JPEG
        speed=8,  # a sixth of the time of Pillow's 6, and a fifth bigger
        max_threads=1,  # other numbers of threads give other bytes
        advanced={"alpha:lossless": "1"},
        xmp=xmp,
        exif=exif,
    )


FORMAT = ImageFormat(
    name="avif",
    title="AVIF",
    suffixes=(".avif",),
    content_type="image/avif",
    open=_open,
    matches=lambda data: bool(BRANDS & _isobmff.brands(data)),
    writer=Writer(_save, carries_alpha=True, longest_side_px=32_768),  # what libavif reads
)
