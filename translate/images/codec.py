"""Between bytes and pictures: the one place where image files are read and written.

Whatever the bytes are, `decode` returns a `Picture` or raises an `ItemError`; the README lists the codes.
Pillow decodes, one decoder for each accepted format, chosen by content. (OpenCV is faster at 8-bit files, by
some 2 ms for a 720 x 360 photograph, but loses profiles; beside a translation neither is felt.)
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from translate.errors import ItemError
from translate.images._color import (
    is_readable,
    sample_bits,
    scale_transparent_level,
    to_eight_bits,
    to_srgb,
    upright,
)
from translate.images._exif import carried
from translate.images._reader import PILLOW_FAULTS, border, open_image
from translate.images._sniff import sniff
from translate.images.picture import ExifChoice, Format, Frames, Limits, OutputFormat, Picture

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_ORIENTATION, _PHOTOMETRIC, _SUBFILE, _TILE_WIDTH, _TILE_HEIGHT, _DNG = 274, 262, 254, 322, 323, 50706
_PREDICTOR, _HORIZONTAL, _XMP = 317, 2, 700

EXTENSIONS: dict[str, Format] = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".jfif": "jpeg", ".webp": "webp",
    ".tif": "tiff", ".tiff": "tiff", ".gif": "gif", ".bmp": "bmp",
}
"""Extension of a key, in lower case, and the format that it promises."""

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file says."""

    format: Format
    """What the content is, whatever its name says."""
    width: int
    height: int
    """In pixels, as the header says; an EXIF orientation may swap the two when the picture is decoded."""
    frames: int
    """More than one for animations and multi-page files."""
    mode: str
    """Pillow's mode (``RGB``, ``L``, ``CMYK`` ...), with the bits of a sample above 8: ``RGB;16``."""


def probe(data: bytes) -> ImageFacts:
    """Read the header only; no pixel is decoded.

    Raises `ItemError`: ``input.empty``, ``input.not_an_image``, ``input.unsupported_mode``,
    ``input.truncated``.
    """
    format_ = sniff(data)
    with border(data, format_):
        return _facts(open_image(data, format_), data, format_)


def decode(
    data: bytes, limits: Limits = _DEFAULT_LIMITS, *, frames: Frames = "first", exif: ExifChoice = "drop"
) -> Picture:
    """Decode an image file to upright 8-bit sRGB, with its alpha.

    Limits hold before any pixel is decoded. Of several frames or pages the first is taken and noted, or, with
    ``frames="refuse"``, none. EXIF orientation is applied; no metadata is kept, or with ``exif="keep"`` what EXIF
    says of camera, time, place and owner. Raises `ItemError`: those of `probe`, ``input.too_large``,
    ``input.animated``.
    """
    if len(data) > limits.max_bytes:
        raise ItemError("input.too_large", f"the file has {len(data):,} bytes; at most {limits.max_bytes:,} "
                                           "are read: save it smaller")
    format_ = sniff(data)
    with border(data, format_):
        image = open_image(data, format_)
        facts = _facts(image, data, format_)
        _check(facts, image, limits, frames)
        return _picture(image, data, facts, exif)


def _facts(image: ImageFile, data: bytes, format_: Format) -> ImageFacts:
    bits = sample_bits(image)
    mode = image.mode if bits <= 8 or ";" in image.mode else f"{image.mode};{bits}"
    return ImageFacts(format_, *image.size, _count_frames(image, data, format_), mode)


def _count_frames(image: ImageFile, data: bytes, format_: Format) -> int:
    if format_ != "tiff":
        return getattr(image, "n_frames", 1)
    try:
        # Counting pages reads each one's tags: on a reader of its own, as one may be of a kind that is not read.
        return int(open_image(data, format_).n_frames)  # type: ignore[attr-defined]
    except PILLOW_FAULTS:
        return 2


def _check(facts: ImageFacts, image: ImageFile, limits: Limits, frames: Frames) -> None:
    """Refuse, on the header alone, what may not or cannot be decoded."""
    tags = getattr(image, "tag_v2", {})
    tile_pixels = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0)
    if max(facts.width * facts.height, tile_pixels) > limits.max_pixels:
        raise ItemError("input.too_large", f"the picture is {facts.width} x {facts.height} pixels; at most "
                                           f"{limits.max_pixels:,} are decoded: reduce it, or raise run.max_megapixels")
    if facts.frames > 1 and frames == "refuse":
        raise ItemError("input.animated", f"the file holds {facts.frames} frames or pages, and such files "
                                          "are refused here; save the one that is meant by itself")
    if not is_readable(image.mode):
        raise ItemError("input.unsupported_mode", f"{facts.mode} pixels (float, signed, 32-bit or Lab) have "
                                                  "no agreed white; save 8- or 16-bit grey or RGB")
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:
        raise ItemError("input.unsupported_mode", "the file is a camera raw or starts with a thumbnail of "
                                                  "itself; develop or save it as PNG, JPEG or plain TIFF")


def _picture(image: ImageFile, data: bytes, facts: ImageFacts, exif: ExifChoice) -> Picture:
    notes = ["first_frame"] if facts.frames > 1 else []
    # Loading clears some of what the header said, and Pillow turns a TIFF upright by itself.
    tags = dict(getattr(image, "tag_v2", {}))
    bits = sample_bits(image)
    icc = image.info.get("icc_profile")
    image.load()
    scale_transparent_level(image, bits)
    flat: Image.Image = image
    if bits > 8:
        flat = to_eight_bits(image, data, bits, white_is_zero=tags.get(_PHOTOMETRIC) == 0)
        notes.append("precision_16_to_8")
    pixels, alpha, color_notes = to_srgb(flat, icc)
    notes += color_notes
    is_tiff = facts.format == "tiff"
    orientation = tags.get(_ORIENTATION, 1) if is_tiff else _exif_orientation(image)
    if orientation in range(2, 9):
        notes.append("exif_rotated")
        if not is_tiff:
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


_EXTENSION: dict[OutputFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
_SAVE_OPTIONS: dict[OutputFormat, dict[str, Any]] = {
    "png": {"compress_level": 3},  # half the time of Pillow's default level and no bigger
    "jpeg": {"subsampling": 0},  # colour at full resolution: paintings have sharp edges between hues
    "webp": {"method": 2},
    "tiff": {},  # see `_tags`: LZW is four times as fast as deflate, and 7% bigger
}
_LONGEST_SIDE_PX: dict[OutputFormat, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383, "tiff": 2**31 - 1}


def encode(
    picture: Picture,
    format: OutputFormat,  # noqa: A002 - the field's own word
    quality: int,
    xmp: bytes = b"",
) -> bytes:
    """Encode a picture; the same pixels, format, quality and XMP give the same bytes (with the same libraries).

    ``quality`` (1 to 100) is that of JPEG and WebP. Alpha is carried in PNG, WebP and TIFF; JPEG has none,
    so the picture is laid on white there (`loses_alpha` says when). No metadata is written but the packet ``xmp``
    (see `translate.images.mark`) and the picture's ``exif``: the pixels are sRGB and upright, which is what readers
    assume. Raises
    `ItemError` ``output.invalid`` where a side is longer than the format can hold.
    """
    height, width = picture.pixels.shape[:2]
    if max(height, width) > _LONGEST_SIDE_PX[format]:
        raise ItemError("output.invalid", f"{format.upper()} holds at most {_LONGEST_SIDE_PX[format]:,} "
                                          f"pixels a side and the picture is {width} x {height}; choose png")
    if picture.alpha is None:
        image = Image.fromarray(picture.pixels)
    else:
        image = Image.fromarray(np.dstack([picture.pixels, picture.alpha]))
    if loses_alpha(picture, format):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    out = io.BytesIO()
    lossy = {"quality": quality} if format in ("jpeg", "webp") else {}
    image.save(out, format.upper(), **lossy, **_SAVE_OPTIONS[format], **_metadata(format, xmp, picture.exif))
    return out.getvalue()


def _metadata(format: OutputFormat, xmp: bytes, exif: bytes) -> dict[str, Any]:  # noqa: A002
    """Options for saving with XMP and EXIF, which each format keeps in a place of its own."""
    if format == "tiff":
        return _tags(xmp, exif)
    options: dict[str, Any] = {"exif": exif} if exif else {}
    if xmp and format == "png":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp:
        options["xmp"] = xmp
    return options


def _tags(xmp: bytes, exif: bytes) -> dict[str, Any]:
    """A TIFF with EXIF is not compressed: what compresses, libtiff, does not write EXIF's directories."""
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    else:
        tags[_PREDICTOR] = _HORIZONTAL
    if xmp:
        tags[_XMP] = xmp
    return {"exif": tags, "compression": "raw" if exif else "tiff_lzw"}


def loses_alpha(picture: Picture, format: OutputFormat) -> bool:  # noqa: A002
    """Whether encoding lays the picture on white, because it has alpha and the format has none."""
    return picture.alpha is not None and format == "jpeg"


def output_format(source: Format) -> OutputFormat:
    """The format that ``keep`` means: the source's own, PNG for those not written (GIF, BMP)."""
    return source if source in ("png", "jpeg", "webp", "tiff") else "png"


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
    return (key[: -len(suffix)] if promised else key) + _EXTENSION[format]
