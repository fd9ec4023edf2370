"""What of a photograph's EXIF may go on to its translation: camera, time, place and owner, nothing about pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ExifTags, Image

from translate.images._reader import PILLOW_FAULTS
from translate.images.formats._contract import as_stored

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_Base, _IFD = ExifTags.Base, ExifTags.IFD
_ABOUT_THE_PHOTOGRAPH = (
    _Base.ImageDescription, _Base.Make, _Base.Model, _Base.Software, _Base.DateTime, _Base.Artist, _Base.Copyright,
)
"""Of the main directory, which in a TIFF also says where the pixels lie."""
_ABOUT_PIXELS = (
    _Base.ExifImageWidth, _Base.ExifImageHeight, _Base.ColorSpace, _Base.ComponentsConfiguration,
    _Base.CompressedBitsPerPixel, _Base.ExifInteroperabilityOffset, _Base.MakerNote,
)
"""Of the camera's directory; the maker's note points into the file that it was written for."""
MAX_BYTES = 60_000
"""What a JPEG can hold beside the rest of its segment."""


def carried(image: ImageFile) -> bytes | None:
    """The EXIF of a loaded image without thumbnail, orientation (pixels are upright) and what describes pixels.

    Empty if there is none; None if it is damaged or larger than a JPEG can hold.
    """
    try:
        exif, kept = image.getexif(), Image.Exif()
        kept.update({tag: as_stored(exif[tag]) for tag in _ABOUT_THE_PHOTOGRAPH if tag in exif})
        for ifd in (_IFD.Exif, _IFD.GPSInfo):
            tags = {tag: as_stored(value) for tag, value in exif.get_ifd(ifd).items() if tag not in _ABOUT_PIXELS}
            if tags:
                kept.get_ifd(ifd).update(tags)
                kept[ifd] = tags
        data = kept.tobytes() if len(kept) else b""
    except PILLOW_FAULTS:
        return None
    return data if len(data) <= MAX_BYTES else None
