"""What an image format declares of itself: the one place where the rest of the program learns of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image
    from PIL.ImageFile import ImageFile


@dataclass(frozen=True, slots=True)
class Header:
    """An image file whose header was read, and no pixel yet."""

    image: ImageFile
    """Pillow's reader; ``load`` decodes the first picture. XMP is in ``info["xmp"]``, a colour profile in
    ``info["icc_profile"]``."""
    has_more_frames: bool = False
    """Whether other frames or pages follow the one that is read."""
    bits: int = 8
    """Of a sample, as Pillow's reader is told; more than 8 are reduced by `translate.images._color`."""
    notes: tuple[str, ...] = ()
    """For `translate.images.picture.Picture.notes`."""
    turned: int = 0
    """The EXIF orientation that ``load`` itself undoes (1: it had nothing to turn); 0 if it leaves that to us."""
    white_is_zero: bool = False
    """Whether the lowest level of a deep grey picture is white."""
    piece_px: int = 0
    """Pixels of the largest piece that is decoded at once, where that can be more than the picture has."""


@dataclass(frozen=True, slots=True)
class Writer:
    """How a format is written."""

    save: Callable[[Image.Image, int, bytes, bytes], bytes]
    """Picture (RGB, or RGBA where ``carries_alpha``), quality 1-100, XMP and EXIF (both may be empty) -> file. The same
    arguments always give the same bytes."""
    carries_alpha: bool
    longest_side_px: int


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """One image format. Adding one is a file in this folder that has it as ``FORMAT``."""

    name: str
    """The file's, and what ``--format`` takes."""
    title: str
    """As people write it: ``WebP``."""
    suffixes: tuple[str, ...]
    """Of keys, in lower case with the dot; the first is written."""
    content_type: str
    """As HTTP and C2PA name it."""
    open: Callable[[bytes], Header]
    """Read the header. Raises what Pillow raises on damaged files, or `ItemError`."""
    signatures: tuple[bytes, ...] = ()
    """A file that begins with one of these is of this format."""
    matches: Callable[[bytes], bool] | None = None
    """For formats that a plain signature does not tell: whether a file is of this one, by its first bytes."""
    check: Callable[[bytes, Header], None] | None = None
    """Called before a pixel is decoded; raises `ItemError` for what would take too long or is damaged."""
    writer: Writer | None = None
    """None for formats that are only read."""
    extra: str = ""
    """What has to be installed so that it is read, as a command; empty if nothing."""
    kept_as: str = ""
    """The format that ``keep`` writes for this one, if this is only read."""


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's options are of any type
    """The file that Pillow writes."""
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


class _Text(str):
    """A text of EXIF that is written as the bytes that it was read from."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:  # noqa: ARG002
        """Not the ASCII that Pillow asks for."""
        return super().encode("latin-1", "replace")


def as_stored(value: object) -> object:
    """The value of an EXIF tag, so that a text is written as it was stored.

    Pillow reads texts as Latin-1, though most are UTF-8, and would write a question mark for each byte beyond ASCII.
    """
    return _Text(value) if isinstance(value, str) else value
