"""The border where the exceptions of Pillow's readers end."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image

from translate.errors import ItemError
from translate.images.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

# Our own limits are checked on every header; Pillow's would warn about pictures that we allow.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns about (odd metadata, palettes with alpha) either changes no pixel or ends with a code.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# What damaged files make Pillow's decoders raise.
PILLOW_FAULTS = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError,
    EOFError, RuntimeError, BufferError, struct.error, zlib.error,
)  # fmt: skip
_UNSUPPORTED = re.compile(
    "unknown pixel mode|-bit layers|-layer images|unsupported bmp|unknown data organization", re.IGNORECASE
)


@contextmanager
def border(format_: str) -> Iterator[None]:
    """Whatever Pillow raises on a file of this format becomes an `ItemError`."""
    title = FORMATS[format_].title
    try:
        yield
    except MemoryError as error:
        raise ItemError("input.too_large", f"this {title} needs more memory than there is") from error
    except PILLOW_FAULTS as error:
        if _UNSUPPORTED.search(str(error)):
            raise ItemError("input.unsupported_mode", f"this kind of {title} is not read ({error}); save the "
                                                      "picture as 8-bit PNG or JPEG") from error
        raise ItemError("input.truncated", f"the {title} ends early or is damaged "
                                           f"({error or type(error).__name__}); upload it again") from error
