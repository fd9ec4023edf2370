"""What the header of an AVIF or HEIC file says that Pillow's readers do not tell.

Both are boxes in boxes (ISO/IEC 14496-12): length, name, content. Properties of the pictures lie in
``meta/iprp/ipco`` (ISO/IEC 23008-12); those of all pictures in the file are looked at, as the main one is rarely alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HDR_CURVES = {16, 18}
"""PQ and HLG, as ITU-T H.273 numbers transfer characteristics."""


@dataclass(frozen=True, slots=True)
class Properties:
    """Of the pictures in a file."""

    bits: int = 8
    """Of the deepest sample."""
    is_hdr: bool = False
    """Whether brightness follows a curve of high dynamic range."""
    largest_px: int = 0
    """Width times height of the largest picture that is decoded, before any part is cut out of it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """As `translate.images.picture.Picture.notes` has them."""
        words = {"precision_16_to_8": self.bits > 8, "transfer_ignored": self.is_hdr}
        return tuple(word for word, holds in words.items() if holds)


def brands(data: bytes) -> set[bytes]:
    """The formats that a file claims to follow, the main one among them; empty if it is of another kind."""
    if data[4:8] != b"ftyp":
        return set()
    size = int.from_bytes(data[:4], "big")
    return {data[8:12], *(data[at : at + 4] for at in range(16, min(size, len(data), 256), 4))}


def properties(data: bytes) -> Properties:
    """What the picture properties say; the defaults where there are none, or a box is damaged."""
    bits, is_hdr, largest_px = 8, False, 0
    for name, content in _inside(data, (b"meta", b"iprp", b"ipco")):
        if name == b"av1C" and len(content) >= 4 and content[2] & 0x40:
            bits = max(bits, 12 if content[2] & 0x20 else 10)
        elif name == b"hvcC" and len(content) >= 19:
            bits = max(bits, 8 + (content[17] & 7))
        elif name == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            is_hdr |= struct.unpack_from(">H", content, 6)[0] in _HDR_CURVES
        elif name == b"ispe" and len(content) >= 12:
            width, height = struct.unpack_from(">II", content, 4)
            largest_px = max(largest_px, width * height)
    return Properties(bits, is_hdr, largest_px)


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
