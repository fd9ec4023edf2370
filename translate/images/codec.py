"""Between bytes and pictures: the one place where image files are read and written.

Whatever the bytes are, `decode` returns a `Picture` or raises an `ItemError`; the README lists the codes.
Pillow decodes, one reader for each format (`translate.images.formats`), chosen by content. (OpenCV is faster at 8-bit
files, by some 2 ms for a 720 x 360 photograph, but loses profiles; beside a translation neither is felt.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from translate.errors import ItemError
from translate.images._color import is_readable, scale_transparent_level, to_eight_bits, to_srgb, upright
from translate.images._exif import carried
from translate.images._reader import PILLOW_FAULTS, border
from translate.images._sniff import sniff
from translate.images.formats import EXTENSIONS, FORMATS
from translate.images.hidden import fill_hidden
from translate.images.picture import ExifChoice, Format, Frames, Limits, OutputFormat, Picture

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from translate.images.formats import Header, Writer

_ORIENTATION = 274

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file says."""

    format: Format
    """What the content is, whatever its name says."""
    width: int
    height: int
    """In pixels, as the header says; an EXIF orientation may swap the two when the picture is decoded."""
    has_more_frames: bool
    """Of animations and files of several pages, of which one is read."""
    mode: str
    """Pillow's mode (``RGB``, ``L``, ``CMYK`` ...), with the bits of a sample above 8: ``RGB;16``."""


def probe(data: bytes) -> ImageFacts:
    """Read the header only; no pixel is decoded.

    Raises `ItemError`: ``input.empty``, ``input.not_an_image``, ``input.unsupported_mode``,
    ``input.truncated``.
    """
    format_ = sniff(data)
    with border(format_):
        return _facts(FORMATS[format_].open(data), format_)


def decode(
    data: bytes, limits: Limits = _DEFAULT_LIMITS, *, frames: Frames = "first", exif: ExifChoice = "drop"
) -> Picture:
    """Decode an image file to upright 8-bit sRGB, with its alpha.

    Limits hold before any pixel is decoded. Of several frames or pages the first is taken and noted, or, with
    ``frames="refuse"``, none. EXIF orientation is applied; colours under full transparency are those
    of what is seen nearby (`fill_hidden`); no metadata is kept, or with ``exif="keep"`` what EXIF
    says of camera, time, place and owner. Raises `ItemError`: those of `probe`, ``input.too_large``,
    ``input.too_slow``, ``input.damaged``, ``input.animated``.
    """
    if len(data) > limits.max_bytes:
        raise ItemError("input.too_large", f"the file has {len(data):,} bytes; at most {limits.max_bytes:,} "
                                           "are read: save it smaller")
    format_ = sniff(data)
    with border(format_):
        header = FORMATS[format_].open(data)
        facts = _facts(header, format_)
        _check(facts, header, limits, frames)
        if check := FORMATS[format_].check:
            check(data, header)
        return _picture(header, data, facts, exif)


def _facts(header: Header, format_: Format) -> ImageFacts:
    mode = header.image.mode
    if header.bits > 8 and ";" not in mode:
        mode = f"{mode};{header.bits}"
    return ImageFacts(format_, *header.image.size, header.has_more_frames, mode)


def _check(facts: ImageFacts, header: Header, limits: Limits, frames: Frames) -> None:
    """Refuse, on the header alone, what may not or cannot be decoded."""
    if max(facts.width * facts.height, header.piece_px) > limits.max_pixels:
        raise ItemError("input.too_large", f"the picture is {facts.width} x {facts.height} pixels; at most "
                                           f"{limits.max_pixels:,} are decoded: reduce it, or raise run.max_megapixels")
    if facts.has_more_frames and frames == "refuse":
        raise ItemError("input.animated", "the file holds several frames or pages, and such files are refused here; "
                                          "save the one that is meant by itself")
    if not is_readable(header.image.mode):
        raise ItemError("input.unsupported_mode", f"{facts.mode} pixels (float, signed, 32-bit or Lab) have "
                                                  "no agreed white; save 8- or 16-bit grey or RGB")


def _picture(header: Header, data: bytes, facts: ImageFacts, exif: ExifChoice) -> Picture:
    image = header.image
    notes = [*["first_frame"] * facts.has_more_frames, *header.notes]
    icc = image.info.get("icc_profile")
    image.load()
    scale_transparent_level(image, header.bits)
    flat: Image.Image = image
    if header.bits > 8:
        flat = to_eight_bits(image, data, header.bits, white_is_zero=header.white_is_zero)
        notes.append("precision_16_to_8")
    pixels, alpha, color_notes = to_srgb(flat, icc)
    notes += color_notes
    if alpha is not None:
        fill_hidden(pixels, alpha)
    orientation = header.turned or _exif_orientation(image)
    if orientation in range(2, 9):
        notes.append("exif_rotated")
        if not header.turned:
            pixels = upright(pixels, orientation)
            alpha = None if alpha is None else upright(alpha, orientation)
    kept = carried(image) if exif == "keep" else b""
    if kept is None:
        notes.append("exif_lost")
    return Picture(pixels, alpha, facts.format, tuple(notes), kept or b"")


def _exif_orientation(image: ImageFile) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except PILLOW_FAULTS:
        return 1  # damaged metadata is no reason to lose a whole picture


def encode(
    picture: Picture,
    format: OutputFormat,  # noqa: A002 - the field's own word
    quality: int,
    xmp: bytes = b"",
) -> bytes:
    """Encode a picture; the same pixels, format, quality and XMP give the same bytes (with the same libraries).

    ``quality`` (1 to 100) counts where a format loses something. A format without alpha shows the picture on white
    (`loses_alpha` says when). No metadata is written but the packet ``xmp`` (see `translate.images.mark`) and the
    picture's ``exif``: the pixels are sRGB and upright, which is what readers assume. Raises `ItemError`
    ``output.invalid`` where a side is longer than the format can hold.
    """
    height, width = picture.pixels.shape[:2]
    writer = _writer(format)
    if max(height, width) > writer.longest_side_px:
        raise ItemError("output.invalid", f"{FORMATS[format].title} holds at most {writer.longest_side_px:,} "
                                          f"pixels a side and the picture is {width} x {height}; choose png")
    if picture.alpha is None:
        image = Image.fromarray(picture.pixels)
    else:
        image = Image.fromarray(np.dstack([picture.pixels, picture.alpha]))
    if loses_alpha(picture, format):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return writer.save(image, quality, xmp, picture.exif)


def _writer(format: OutputFormat) -> Writer:  # noqa: A002
    writer = FORMATS[format].writer
    assert writer is not None, f"{format} is not written"
    return writer


def loses_alpha(picture: Picture, format: OutputFormat) -> bool:  # noqa: A002
    """Whether encoding lays the picture on white, because it has alpha and the format has none."""
    return picture.alpha is not None and not _writer(format).carries_alpha


def output_format(source: Format) -> OutputFormat:
    """The format that ``keep`` means: the source's own, or the one declared for those that are only read."""
    return source if FORMATS[source].writer else FORMATS[source].kept_as


def extension(key: str) -> str:
    """The extension of a key with its dot, in lower case; empty if there is none, or no name before it.

    Asked of every key of a listing, so it makes no path of it.
    """
    stem, dot, last = key.rpartition(".")
    return dot + last.lower() if stem and not stem.endswith("/") and "/" not in last else ""


def has_image_extension(key: str) -> bool:
    """Whether a key ends like the name of an accepted image, in upper or lower case."""
    return extension(key) in EXTENSIONS


def with_extension(key: str, format: OutputFormat) -> str:  # noqa: A002
    """The key with an extension of ``format``: kept if it fits, exchanged for another image's, else added."""
    suffix = extension(key)
    promised = EXTENSIONS.get(suffix)
    if promised == format:
        return key
    return (key[: -len(suffix)] if promised else key) + FORMATS[format].suffixes[0]
