"""From decoded samples to 8-bit sRGB and alpha: bit depth, palettes, transparency, CMYK, ICC profiles."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it writes about TIFF tags to stderr

_GREY_MODES = ("1", "L", "LA")
_DEEP_GREY_MODES = ("I;16", "I;16B", "I;16L")
_COLOR_MODES = ("P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "La", "YCbCr", "CMYK")
_PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_OPAQUE = 255


def is_readable(mode: str) -> bool:
    """Whether pixels of this Pillow mode have a known white and black, so that they can become sRGB."""
    return mode in (*_GREY_MODES, *_DEEP_GREY_MODES, *_COLOR_MODES)


def sample_bits(image: ImageFile) -> int:
    """Bits of one sample in a PNG or TIFF, from the layout its decoder was given."""
    layout = re.search(r";(\d+)", str(image.tile[0].args)) if image.tile else None
    return int(layout.group(1)) if layout else 8


def to_srgb(
    image: Image.Image, icc: bytes | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, list[str]]:
    """Pixels (H, W, 3) uint8 sRGB, alpha (H, W) uint8 or None, and notes, of an image of 8-bit samples."""
    alpha = None
    if image.mode == "La":  # premultiplied; Pillow converts it to nothing else
        image = image.convert("LA")
    if image.has_transparency_data:
        alpha = np.array(_in_mode(image, "RGBA").getchannel("A"))
    if image.mode != "CMYK":
        image = _in_mode(image, "L" if image.mode in _GREY_MODES else "RGB")
    image, notes = _through_profile(image, icc) if icc else (image, [])
    if image.mode == "CMYK":
        # No usable profile says which inks: the plain formula, as browsers do.
        notes.append("cmyk_without_profile")
    return np.array(_in_mode(image, "RGB")), alpha, notes


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image in a mode; itself if it has that already, as a copy of a large picture is dear."""
    return image if image.mode == mode else image.convert(mode)


def _through_profile(image: Image.Image, icc: bytes) -> tuple[Image.Image, list[str]]:
    """Convert an L, RGB or CMYK image to sRGB through its profile, unless the profile is sRGB or unusable."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = _PROFILE_MODES[profile.profile.xcolor_space]
        if mode == "RGB" and image.mode == "L":
            image = image.convert("RGB")  # grey pictures often carry their editor's RGB profile
        if mode != image.mode:
            return image, ["icc_invalid"]
        if mode != "CMYK" and _is_srgb(profile, mode):
            return image, []
        return _convert(image, profile), ["icc_converted"]
    except (ImageCms.PyCMSError, OSError, KeyError):
        return image, ["icc_invalid"]


def _is_srgb(profile: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Whether a profile moves no colour by more than one level: then the pixels are better left alone."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    colors = levels[None]
    if mode == "RGB":
        colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(colors)
    moved = np.asarray(_convert(probe, profile)).astype(np.int16) - np.asarray(probe.convert("RGB"))
    return bool(np.abs(moved).max() <= 1)


def _convert(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    return converted


def to_eight_bits(image: Image.Image, data: bytes, bits: int, *, white_is_zero: bool) -> Image.Image:
    """A loaded image of more than 8 bits a sample as one of 8, rounded to the nearest level.

    Pillow keeps deep grey, but only the high bytes of deep colour: that is read again with OpenCV, which
    keeps all. Where the two disagree on the high bytes (premultiplied alpha, CMYK) Pillow's stay, at most one
    level off.
    """
    top = 2**bits - 1
    table = ((np.arange(top + 1) * 255 + top // 2) // top).astype(np.uint8)
    if image.mode in _DEEP_GREY_MODES:
        deep = np.asarray(image).astype(np.uint16)
        grey = Image.fromarray(table[top - deep if white_is_zero else deep])
        if "transparency" not in image.info:
            return grey
        alpha = np.where(deep == image.info["transparency"], 0, _OPAQUE).astype(np.uint8)
        return Image.merge("LA", (grey, Image.fromarray(alpha)))
    color = _deep_color(data)
    high_bytes = np.asarray(image)
    channels = len(image.getbands())
    if color is None or not np.array_equal(color[..., :channels] >> 8, high_bytes):
        return image
    return Image.fromarray(table[color if "transparency" in image.info else color[..., :channels]])


def _deep_color(data: bytes) -> NDArray[np.uint16] | None:
    """(H, W, 3 or 4) uint16 RGB(A) of a 16-bit colour file; None if OpenCV cannot read it."""
    try:
        deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3:
        return None
    return deep[..., [2, 1, 0, 3][: deep.shape[2]]].astype(np.uint16, copy=False)


def scale_transparent_level(image: Image.Image, bits: int) -> None:
    """Bring the transparent grey of a 2- or 4-bit PNG to the 8 bits that Pillow has brought its pixels to."""
    if image.mode == "L" and bits < 8 and "transparency" in image.info:
        image.info["transparency"] = image.info["transparency"] * _OPAQUE // (2**bits - 1)


def upright(array: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """(H, W, ...) turned and mirrored as an EXIF orientation of 1 to 8 says, C-contiguous."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
