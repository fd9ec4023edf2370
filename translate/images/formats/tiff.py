"""TIFF and BigTIFF."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import TiffImageFile

from translate.errors import ItemError
from translate.images._color import sample_bits
from translate.images.formats._contract import Header, ImageFormat, Writer, as_stored, saved

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUBFILE, _PHOTOMETRIC, _ORIENTATION, _PREDICTOR, _XMP, _DNG = 254, 262, 274, 317, 700, 50706
_COMPRESSION, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 259, 284, 322, 323
_PIECES = (273, 279, 324, 325)
"""Offsets and lengths of strips and of tiles."""
_HORIZONTAL, _SEPARATE, _RAW, _LZW = 2, 2, 1, 5
_NOT_READ = {
    33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 33007: "JBIG 2", 34661: "JBIG",
    34715: "JBIG 2", 34887: "LERC", 34892: "lossy JPEG of DNG", 34933: "PNG", 34934: "JPEG XR", 22610: "JPEG XR",
    50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}
"""Compressions that neither Pillow nor its libtiff read, by the numbers that TIFF gives them."""
_MOST_PIECES = 200_000
"""100 megapixels in tiles of 32 x 32 are half of that; Pillow takes about 1 KB for each."""
_SHORT, _LONG, _OF_8_BYTES = 3, 4, (16, 17, 18)
_TYPE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True, slots=True)
class _Directory:
    """The first directory of a TIFF."""

    counts: Mapping[int, int]
    """Tag -> how many values it has."""
    compression: int
    """As TIFF numbers it; 1 is none."""
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
    at, counts, compression, is_cut = start + struct.calcsize(number), {}, 1, False
    for _ in range(total_tags):
        name, kind, count, place = struct.unpack_from(tag, data, at)
        counts[name] = count
        if name == _COMPRESSION:
            (compression,) = struct.unpack_from(order + "H", data, at + struct.calcsize(tag) - struct.calcsize(offset))
        size_bytes = count * _TYPE_BYTES.get(kind, 1)
        is_cut |= size_bytes > struct.calcsize(offset) and place + size_bytes > len(data)
        at += struct.calcsize(tag)
    (following,) = struct.unpack_from(offset, data, at)
    return _Directory(counts, compression, is_cut, following not in (0, start))


def _as_classic(data: bytes) -> bytes:
    """A big-endian BigTIFF, which Pillow does not know, with a classic TIFF's directory at its end.

    Raises `struct.error` if its directory is not whole, `OSError` if a strip or tile is not.
    """
    (start,) = struct.unpack_from(">Q", data, 8)
    (total_tags,) = struct.unpack_from(">Q", data, start)
    entries, extra, extra_at = b"", b"", len(data) + 2 + 12 * total_tags + 4
    pieces: dict[int, tuple[int, ...]] = {}
    for at in range(start + 8, start + 8 + 20 * total_tags, 20):
        name, kind, count = struct.unpack_from(">HHQ", data, at)
        size_bytes = count * _TYPE_BYTES.get(kind, 1)
        place = at + 12 if size_bytes <= 8 else struct.unpack_from(">Q", data, at + 12)[0]
        values = data[place : place + size_bytes]
        if kind in _OF_8_BYTES:
            values, kind = struct.pack(f">{count}I", *struct.unpack(f">{count}Q", values)), _LONG
        if name in _PIECES:
            pieces[name] = struct.unpack(f">{count}{'H' if kind == _SHORT else 'I'}", values)
        if len(values) > 4:
            extra, values = extra + values, struct.pack(">I", extra_at + len(extra))
        entries += struct.pack(">HHI4s", name, kind, count, values)
    for offsets, lengths in (_PIECES[:2], _PIECES[2:]):
        ends = (at + length for at, length in zip(pieces.get(offsets, ()), pieces.get(lengths, ()), strict=False))
        if max(ends, default=0) > len(data):
            raise OSError("pixels lie beyond its end")  # else the new directory would be taken for them
    header = b"MM\0*" + struct.pack(">I", len(data))
    return header + data[8:] + struct.pack(">H", total_tags) + entries + b"\0" * 4 + extra


class _Reader(TiffImageFile):
    """Pillow's reader, but for colours that are stored as a plane each without compression.

    Pillow makes noise of those if they have 16 bits, and wrong colours if alpha is premultiplied. It leaves all that is
    compressed to libtiff, which reads planes right, and which looks itself how a file is compressed.
    """

    def _setup(self) -> None:
        if self.tag_v2.get(_PLANAR) == _SEPARATE and self.tag_v2.get(_COMPRESSION, _RAW) == _RAW:
            self.tag_v2[_COMPRESSION] = _LZW
        super()._setup()


def _open(data: bytes) -> Header:
    directory = _directory(data)
    if directory.compression in _NOT_READ:
        raise ItemError("input.unsupported_mode", f"the TIFF is compressed by {_NOT_READ[directory.compression]}, "
                                                  "which is not read; save it with LZW, Deflate or no compression")
    total_pieces = max(directory.counts.get(tag, 0) for tag in _PIECES)
    if total_pieces > _MOST_PIECES:
        raise ItemError("input.too_slow", f"the TIFF is cut into {total_pieces:,} strips or tiles; at most "
                                          f"{_MOST_PIECES:,} are read: save it with larger ones")
    try:
        image = _Reader(io.BytesIO(_as_classic(data) if data.startswith(b"MM\0+") else data))
    except SyntaxError as error:
        if directory.is_cut:
            raise OSError("tags lie beyond its end") from error  # Pillow goes on without them, and finds no mode
        raise
    tags = image.tag_v2
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:
        raise ItemError("input.unsupported_mode", "the file is a camera raw or starts with a thumbnail of "
                                                  "itself; develop or save it as PNG, JPEG or plain TIFF")
    if tags.get(_PLANAR) == _SEPARATE and image.mode in ("LA", "La", "PA"):
        raise ItemError("input.unsupported_mode", "the TIFF stores grey and alpha as a plane each, which is not read; "
                                                  "save them interleaved")
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
        for part in (tags, tags.get_ifd(IFD.Exif), tags.get_ifd(IFD.GPSInfo)):
            part.update({tag: as_stored(value) for tag, value in part.items()})
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
