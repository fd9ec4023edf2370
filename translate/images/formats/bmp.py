"""BMP, which is only read."""

from __future__ import annotations

import io

from PIL.BmpImagePlugin import BmpImageFile

from translate.images.formats._contract import Header, ImageFormat

_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}


FORMAT = ImageFormat(
    name="bmp",
    title="BMP",
    suffixes=(".bmp",),
    content_type="image/bmp",
    open=lambda data: Header(BmpImageFile(io.BytesIO(data))),
    matches=lambda data: data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _HEADER_SIZES,
    kept_as="png",
)
