"""PNG."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL.PngImagePlugin import MAX_TEXT_CHUNK, PngImageFile, PngInfo

from translate.images._color import sample_bits
from translate.images.formats._contract import Header, ImageFormat, Writer, saved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_READ_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""Keywords of the texts that are read: marks, and how a photograph was held."""
_MOST_TEXT_BYTES = 16 << 20
_MOST_PROFILE_BYTES = 16 << 20
_USUAL_GAMMA = range(45_000, 46_000)
"""Of a chunk ``gAMA`` that says nearly what sRGB is: 1 / 2.2, times 100,000."""
_SRGB = (b"\x01\x0d", b"\x01\x01")
"""Primaries and curve of a chunk ``cICP``, as ITU-T H.273 numbers them; the second is that of television."""


@dataclass(slots=True)
class _Chunks:
    """What was found in the chunks of a PNG."""

    for_pillow: list[memoryview] = field(default_factory=list)
    """What decides pixels, and of the metadata what is read and whole."""
    profile: bytes = b""
    has_more_frames: bool = False
    notes: set[str] = field(default_factory=set)
    text_bytes: int = 0
    other_colors: bool = False
    names: set[bytes] = field(default_factory=set)


def _open(data: bytes) -> Header:
    """Pillow refuses a whole picture for a damaged comment, and for texts that are long: it gets none of either."""
    found = _Chunks()
    for name, body, chunk in _chunks(data):
        found.names.add(name)
        if _decides_pixels(name):
            found.for_pillow.append(chunk)
        else:
            _look(found, name, body, chunk)
    image = PngImageFile(io.BytesIO(b"".join([_SIGNATURE, *found.for_pillow])))
    if found.profile:
        image.info["icc_profile"] = found.profile
    elif found.other_colors and b"sRGB" not in found.names:
        found.notes.add("color_ignored")
    return Header(image, found.has_more_frames, sample_bits(image), tuple(sorted(found.notes)))


def _decides_pixels(name: bytes) -> bool:
    """Whether a chunk has to be understood by every reader: its name begins with a capital, or is ``tRNS``."""
    return name == b"tRNS" or not (name.isalpha() and name[:1].islower())


def _look(found: _Chunks, name: bytes, body: memoryview, chunk: memoryview) -> None:
    """Take what is read of a chunk of metadata or of an animation."""
    if name == b"fdAT":
        found.has_more_frames = True
    elif zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big") or len(chunk) < len(body) + 12:
        found.notes.add("icc_invalid" if name == b"iCCP" else "metadata_dropped")
    elif name == b"acTL":
        found.has_more_frames |= int.from_bytes(body[:4], "big") > 1
    elif name == b"iCCP":
        _, _, compressed = bytes(body).partition(b"\0")
        found.profile = _inflated(compressed[1:], _MOST_PROFILE_BYTES) if compressed[:1] == b"\0" else b""
        found.notes |= set() if found.profile else {"icc_invalid"}
    elif name == b"gAMA":
        found.other_colors |= int.from_bytes(body, "big") not in _USUAL_GAMMA
    elif name == b"cICP":
        found.other_colors |= bytes(body[:2]) not in _SRGB
    elif name == b"eXIf":
        found.for_pillow.append(chunk)
    elif name in (b"tEXt", b"zTXt", b"iTXt") and bytes(body[:30]).startswith(_READ_TEXTS):
        _look_at_text(found, name, bytes(body), chunk)


def _look_at_text(found: _Chunks, name: bytes, body: bytes, chunk: memoryview) -> None:
    """Take a text, unless Pillow would refuse the picture for its length."""
    found.text_bytes += len(body)
    _, _, rest = body.partition(b"\0")
    fits = found.text_bytes <= _MOST_TEXT_BYTES
    if name == b"zTXt":
        fits &= bool(_inflated(rest[1:], MAX_TEXT_CHUNK))
    elif name == b"iTXt" and rest[:1] != b"\0":
        fits &= bool(_inflated(rest[2:].split(b"\0", 2)[-1], MAX_TEXT_CHUNK))
    if fits:
        found.for_pillow.append(chunk)
    else:
        found.notes.add("metadata_dropped")


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Name, content, and the whole of each chunk up to the last; the last may be cut."""
    view, at = memoryview(data), len(_SIGNATURE)
    while at < len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        name = bytes(view[at + 4 : at + 8])
        yield name, view[at + 8 : end - 4], view[at:end]
        if name == b"IEND":
            return
        at = end


def _inflated(data: bytes, most_bytes: int) -> bytes:
    """Empty where it is damaged, or more than that."""
    try:
        inflated = zlib.decompressobj().decompress(data, most_bytes + 1)
    except zlib.error:
        return b""
    return inflated if len(inflated) <= most_bytes else b""


def _save(image: Image.Image, quality: int, xmp: bytes, exif: bytes) -> bytes:  # noqa: ARG001 - it loses nothing
    text = PngInfo()
    if xmp:
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    # Level 3 takes half the time of Pillow's default and is no bigger.
    return saved(image, "PNG", compress_level=3, pnginfo=text, exif=exif)


FORMAT = ImageFormat(
    name="png",
    title="PNG",
    suffixes=(".png",),
    content_type="image/png",
    open=_open,
    signatures=(_SIGNATURE,),
    writer=Writer(_save, carries_alpha=True, longest_side_px=2**31 - 1),
)
