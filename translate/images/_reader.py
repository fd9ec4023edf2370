"""Pillow's decoders, one for each accepted format, and the border where their exceptions end."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from translate.errors import ItemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.ImageFile import ImageFile

    from translate.images.picture import Format

# Our own limits are checked on every header; Pillow's would warn about pictures that we allow.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns about (odd metadata, palettes with alpha) either changes no pixel or ends with a code.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_READERS: dict[Format, type[ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}

# What damaged files make Pillow's decoders raise.
PILLOW_FAULTS = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError,
    EOFError, RuntimeError, BufferError, struct.error, zlib.error,
)  # fmt: skip
_UNSUPPORTED = re.compile(
    "unknown pixel mode|-bit layers|-layer images|unsupported bmp|unknown data organization", re.IGNORECASE
)
_TIFF_TYPE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


def open_image(data: bytes, format_: Format) -> ImageFile:
    """Read the header with the one decoder of this format.

    The decoder's class is called directly: `PIL.Image.open` would hide why it refused, and would take the
    extra pictures in a phone's JPEG (previews, gain maps) for frames.
    """
    return _READERS[format_](io.BytesIO(data))


@contextmanager
def border(data: bytes, format_: Format) -> Iterator[None]:
    """Whatever Pillow raises on a file becomes an `ItemError`."""
    name = format_.upper()
    try:
        yield
    except MemoryError as error:
        raise ItemError("input.too_large", f"this {name} needs more memory than there is") from error
    except PILLOW_FAULTS as error:
        if _UNSUPPORTED.search(str(error)) and not (format_ == "tiff" and _directory_is_cut(data)):
            raise ItemError("input.unsupported_mode", f"this kind of {name} is not read ({error}); save the "
                                                      "picture as 8-bit PNG or JPEG") from error
        raise ItemError("input.truncated", f"the {name} ends early or is damaged "
                                           f"({error or type(error).__name__}); upload it again") from error


def _directory_is_cut(data: bytes) -> bool:
    """Whether tags of a (classic) TIFF lie beyond the end of its bytes; Pillow then goes on without them."""
    order = "<" if data.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (total_tags,) = struct.unpack_from(order + "H", data, start)
        for i in range(total_tags):
            kind, count, offset = struct.unpack_from(order + "2xHII", data, start + 2 + 12 * i)
            size_bytes = count * _TIFF_TYPE_BYTES.get(kind, 1)
            if size_bytes > 4 and offset + size_bytes > len(data):
                return True
    except struct.error:
        return True
    return False
