"""Between bytes and pictures: the one place where image files are read and written.

Whatever the bytes are, `decode` returns a `Picture` or raises `ItemError`; the codes are in this folder's README.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image, ImageOps

from translate.errors import ItemError
from translate.images.picture import Format, Limits, OutputFormat, Picture

if TYPE_CHECKING:
    pass

EXTENSIONS: dict[str, Format] = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".jfif": "jpeg", ".webp": "webp",
    ".tif": "tiff", ".tiff": "tiff", ".gif": "gif", ".bmp": "bmp",
}
"""Extension of a key, in lower case, and the format that it promises."""
_CANONICAL: dict[OutputFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file says; no pixel was decoded."""

    format: Format
    width: int
    height: int
    frames: int
    mode: str


def probe(data: bytes) -> ImageFacts:
    """Read the header only. Raises `ItemError` as `decode` does."""
    image = _open(data)
    return ImageFacts("jpeg" if image.format == "MPO" else image.format.lower(), *image.size,
                      getattr(image, "n_frames", 1), image.mode)


def decode(data: bytes, limits: Limits = Limits(), *, frames: Literal["first", "refuse"] = "first") -> Picture:
    """Decode to upright sRGB (H, W, 3) uint8."""
    facts = probe(data)
    if facts.width * facts.height > limits.max_pixels or len(data) > limits.max_bytes:
        raise ItemError("input.too_large", f"{facts.width} x {facts.height} pixels")
    notes = ()
    if facts.frames > 1:
        if frames == "refuse":
            raise ItemError("input.animated", f"{facts.frames} frames")
        notes = ("first_frame",)
    try:
        image = ImageOps.exif_transpose(_open(data))
        rgba = image.convert("RGBA") if image.has_transparency_data else None
        pixels = np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise ItemError("input.truncated", f"{error}") from error
    return Picture(pixels, None if rgba is None else np.array(rgba)[..., 3].copy(), facts.format, notes)


def encode(picture: Picture, format: OutputFormat, quality: int) -> bytes:  # noqa: A002
    """Encode; alpha is carried in PNG and WebP and composited on white in JPEG."""
    pixels = picture.pixels
    if picture.alpha is not None:
        image = Image.fromarray(np.dstack([pixels, picture.alpha]))
        if format == "jpeg":
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
    else:
        image = Image.fromarray(pixels)
    options = {"png": {"compress_level": 3}, "jpeg": {"quality": quality, "subsampling": 0},
               "webp": {"quality": quality, "method": 2}}
    out = io.BytesIO()
    image.save(out, format.upper(), **options[format])
    return out.getvalue()


def output_format(source: Format) -> OutputFormat:
    """The format that ``keep`` means: the source's own, PNG for the formats that are not written."""
    return source if source in get_args(OutputFormat) else "png"


def has_image_extension(key: str) -> bool:
    """Whether a key's name ends like that of an image, in either case."""
    return PurePosixPath(key).suffix.lower() in EXTENSIONS


def with_extension(key: str, format: OutputFormat) -> str:  # noqa: A002
    """The key with an extension of this format."""
    suffix = PurePosixPath(key).suffix
    known = EXTENSIONS.get(suffix.lower())
    if known == format:
        return key
    return (key[: -len(suffix)] if known else key) + _CANONICAL[format]


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ItemError("input.empty", "the object has no bytes; expected an image")
    try:
        return Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ItemError("input.not_an_image", f"{error}") from error
