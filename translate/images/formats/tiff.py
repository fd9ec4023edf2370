"""TIFF and BigTIFF."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from translate.errors import ItemError
from translate.images._color import sample_bits
from translate.images.formats._contract import Header, ImageFormat, Writer, saved

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUBFILE, _PHOTOMETRIC, _ORIENTATION, _PREDICTOR, _XMP, _DNG = 254, 262, 274, 317, 700, 50706
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_HORIZONTAL = 2
_TYPE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True, slots=True)
class _Directory:
    """The first directory of a TIFF."""

    counts: Mapping[int, int]
    """Tag -> how many values it has."""
    is_cut: bool
    """Whether values lie beyond the end of the file."""
    has_next: bool
    """Whether another page follows."""


def _directory(data: bytes) -> _Directory:
    """Raises `struct.error` if the directory itself is not whole."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = 43 in data[2:4]
    offset, number, tag = (order + letters for letters in (("Q", "Q", "HHQQ") if is_big else ("I", "H", "HHII")))
    (start,) = struct.unpack_from(offset, data, 8 if is_big else 4)
    (total_tags,) = struct.unpack_from(number, data, start)
    at, counts, is_cut = start + struct.calcsize(number), {}, False
    for _ in range(total_tags):
        name, kind, count, place = struct.unpack_from(tag, data, at)
        counts[name] = count
        size_bytes = count * _TYPE_BYTES.get(kind, 1)
        is_cut |= size_bytes > struct.calcsize(offset) and place + size_bytes > len(data)
        at += struct.calcsize(tag)
    (following,) = struct.unpack_from(offset, data, at)
    return _Directory(counts, is_cut, following not in (0, start))


def _open(data: bytes) -> Header:
    directory = _directory(data)
    try:
        image = TiffImageFile(io.BytesIO(data))
    except SyntaxError as error:
        if directory.is_cut:
            raise OSError("tags lie beyond its end") from error  # Pillow goes on without them, and finds no mode
        raise
    tags = image.tag_v2
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:
        raise ItemError("input.unsupported_mode", "the file is a camera raw or starts with a thumbnail of "
                                                  "itself; develop or save it as PNG, JPEG or plain TIFF")
    return Header(
        image,
        has_more_frames=directory.has_next,
        bits=sample_bits(image),
        turned=tags.get(_ORIENTATION, 1),
        white_is_zero=tags.get(_PHOTOMETRIC) == 0,
        piece_px=tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0),
    )


def _save(image: Image.Image, quality: int, xmp: bytes, exif: bytes) -> bytes:  # noqa: ARG001 - it loses nothing
    """LZW with a predictor is four times as fast as deflate, and 7 % bigger. A TIFF with EXIF is not compressed: what
    compresses, libtiff, does not write EXIF's directories."""
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    else:
        tags[_PREDICTOR] = _HORIZONTAL
    if xmp:
        tags[_XMP] = xmp
    return saved(image, "TIFF", exif=tags, compression="raw" if exif else "tiff_lzw")


FORMAT = ImageFormat(
    name="tiff",
    title="TIFF",
    suffixes=(".tif", ".tiff"),
    content_type="image/tiff",
    open=_open,
    signatures=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # the last two: BigTIFF
    writer=Writer(_save, carries_alpha=True, longest_side_px=2**31 - 1),
)
