"""HEIC, as phones write it; only read, with the extra ``heic``."""

from __future__ import annotations

import io

from translate.errors import ItemError
from translate.images.formats import _isobmff, avif
from translate.images.formats._contract import Header, ImageFormat

_EXTRA = "pip install 'translate-images[heic]'"
_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def _matches(data: bytes) -> bool:
    brands = _isobmff.brands(data)
    return bool(brands & _BRANDS) and not brands & avif.BRANDS


def _open(data: bytes) -> Header:
    try:
        from pillow_heif import options
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError as error:
        raise ItemError("input.unsupported_mode", f"HEIC images are read with an extra package only: {_EXTRA}, or "
                                                  "convert it to JPEG") from error
    if _isobmff.is_cut(data):
        raise OSError("parts of the picture lie beyond its end")
    # Neither is asked for, and each is more of the file that is read.
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    options.DECODE_THREADS = 1
    image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call] # the plugin has no types
    # The container says how the picture was held, not EXIF, and libheif has turned it.
    return _isobmff.properties(data).header(image, turned=1)


FORMAT = ImageFormat(
    name="heic",
    title="HEIC",
    suffixes=(".heic", ".heif", ".hif"),
    content_type="image/heic",
    open=_open,
    extra=_EXTRA,
    matches=_matches,
    kept_as="jpeg",
)
