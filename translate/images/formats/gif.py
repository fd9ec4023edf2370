"""GIF, which is only read."""

from __future__ import annotations

import io
import re

from PIL.GifImagePlugin import GifImageFile

from translate.errors import ItemError
from translate.images.formats._contract import Header, ImageFormat

_EXTENSION, _CONTROL, _PICTURE = 0x21, 0xF9, 0x2C
_NEXT_PART = re.compile(rb"[\x21\x2c\x3b]")
"""An extension, a picture, or the end; Pillow passes over anything else."""
_DISPOSAL = 0b00011100
_MOST_BLOCKS = 2_000_000
"""Of up to 255 bytes each, up to the second frame: a frame of 100 megapixels has some 400,000."""


def _open(data: bytes) -> Header:
    controls, has_more_frames = _first_frame(data)
    if controls:
        # What becomes of the first frame after it was shown is of no use here, and Pillow would lay out a canvas for it
        # as soon as it reads the header, however large.
        changed = bytearray(data)
        for at in controls:
            changed[at] &= ~_DISPOSAL
        data = bytes(changed)
    return Header(GifImageFile(io.BytesIO(data)), has_more_frames)


def _first_frame(data: bytes) -> tuple[list[int], bool]:
    """Where the flags that control the first frame lie, and whether a second one follows.

    No frame is decoded. Raises `ItemError` ``input.too_slow``.
    """
    controls: list[int] = []
    total_frames = total_blocks = 0
    at = 13 + _palette_bytes(data, 10)
    while found := _NEXT_PART.search(data, at):
        at, kind = found.start(), data[found.start()]
        if kind == _EXTENSION:
            if data[at + 1 : at + 2] == bytes([_CONTROL]) and not total_frames and at + 3 < len(data):
                controls.append(at + 3)
            at += 2
        elif kind == _PICTURE and not total_frames:
            total_frames = 1
            at += 11 + _palette_bytes(data, at + 9)
        else:
            return controls, kind == _PICTURE
        while at < len(data) and data[at]:
            at += data[at] + 1
            total_blocks += 1
            if total_blocks > _MOST_BLOCKS:
                raise ItemError("input.too_slow", f"the GIF has more than {_MOST_BLOCKS:,} blocks; save it again")
        at += 1
    return controls, False


def _palette_bytes(data: bytes, at: int) -> int:
    """Of the palette that these flags announce."""
    return 3 << (data[at] & 7) + 1 if at < len(data) and data[at] & 128 else 0


FORMAT = ImageFormat(
    name="gif",
    title="GIF",
    suffixes=(".gif",),
    content_type="image/gif",
    open=_open,
    signatures=(b"GIF87a", b"GIF89a"),
    kept_as="png",
)
