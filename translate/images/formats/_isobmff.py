"""What the header of an AVIF or HEIC file says that Pillow's readers do not tell.

Both are boxes in boxes (ISO/IEC 14496-12): length, name, content. Properties of the pictures lie in
``meta/iprp/ipco`` (ISO/IEC 23008-12); those of all pictures in the file are looked at, as the main one is rarely alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.images.formats._contract import Header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.ImageFile import ImageFile

_NEAR_SRGB = {1, 2, 5, 6}
"""Primaries of sRGB, those that nobody named, and those of older television, as ITU-T H.273 numbers them."""
_HDR_CURVES = {16, 18}
"""PQ and HLG, transfer characteristics there."""


@dataclass(frozen=True, slots=True)
class Properties:
    """Of the pictures in a file."""

    bits: int = 8
    """Of the deepest sample."""
    other_colors: bool = False
    """Whether colours are not sRGB's, in words that are not applied: wide primaries, or high dynamic range."""
    largest_px: int = 0
    """Width times height of the largest picture that is decoded, before any part is cut out of it."""

    def header(self, image: ImageFile, *, turned: int) -> Header:
        """Of a file that a reader has opened, which knows about more frames; ``turned`` as in `Header`."""
        has_profile = bool(image.info.get("icc_profile"))
        words = {"precision_16_to_8": self.bits > 8, "color_ignored": self.other_colors and not has_profile}
        return Header(
            image,
            has_more_frames=getattr(image, "n_frames", 1) > 1,
            notes=tuple(word for word, holds in words.items() if holds),
            turned=turned,
            piece_px=self.largest_px,
        )


def brands(data: bytes) -> set[bytes]:
    """The formats that a file claims to follow, the main one among them; empty if it is of another kind."""
    if data[4:8] != b"ftyp":
        return set()
    size = int.from_bytes(data[:4], "big")
    return {data[8:12], *(data[at : at + 4] for at in range(16, min(size, len(data), 256), 4))}


def properties(data: bytes) -> Properties:
    """What the picture properties say; the defaults where there are none, or a box is damaged."""
    bits, other_colors, largest_px = 8, False, 0
    for name, content in _inside(data, (b"meta", b"iprp", b"ipco")):
        if name == b"av1C" and len(content) >= 4 and content[2] & 0x40:
            bits = max(bits, 12 if content[2] & 0x20 else 10)
        elif name == b"hvcC" and len(content) >= 19:
            bits = max(bits, 8 + (content[17] & 7))
        elif name == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            primaries, curve = struct.unpack_from(">HH", content, 4)
            other_colors |= primaries not in _NEAR_SRGB or curve in _HDR_CURVES
        elif name == b"ispe" and len(content) >= 12:
            width, height = struct.unpack_from(">II", content, 4)
            largest_px = max(largest_px, width * height)
    return Properties(bits, other_colors, largest_px)


def is_cut(data: bytes) -> bool:
    """Whether parts of the pictures lie beyond the end of the file (box ``iloc``), or the box itself is not whole.

    Phones' pictures are tiles of 512 x 512, and libheif returns a picture though the last ones are not there.
    """
    for name, content in _inside(data, (b"meta",)):
        if name == b"iloc":
            try:
                return any(end > len(data) for end in _ends(content))
            except struct.error:
                return True
    return False


def _ends(iloc: bytes) -> Iterator[int]:
    """Where each part of each item ends in the file."""
    version = iloc[0] if iloc else 0
    (sizes,) = struct.unpack_from(">H", iloc, 4)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index_bytes = index_bytes if version else 0
    total_items, at = _number(iloc, 6, 2 if version < 2 else 4)
    for _ in range(total_items):
        at += 2 if version < 2 else 4
        method, at = _number(iloc, at, 2) if version else (0, at)
        base, at = _number(iloc, at + 2, base_bytes)
        total_parts, at = _number(iloc, at, 2)
        for _ in range(total_parts if offset_bytes + length_bytes else 0):
            offset, at = _number(iloc, at + index_bytes, offset_bytes)
            length, at = _number(iloc, at, length_bytes)
            if method & 15 == 0:  # else within ``meta``, which is whole
                yield base + offset + length


def _number(data: bytes, at: int, size_bytes: int) -> tuple[int, int]:
    """The number there, and where the next one is. Raises `struct.error` beyond the end."""
    end = at + size_bytes
    if end > len(data):
        raise struct.error("beyond the end")
    return int.from_bytes(data[at:end], "big"), end


def _inside(data: bytes, path: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes]]:
    """The boxes below a path of boxes."""
    for name, content in _boxes(data):
        if not path:
            yield name, content
        elif name == path[0]:
            # ``meta`` begins with its version.
            yield from _inside(content[4:] if name == b"meta" else content, path[1:])


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = len(data) if size == 0 else at + size
        if end < start:
            return
        yield name, data[start:end]
        at = end
