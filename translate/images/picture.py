"""The picture as it walks through the job: decoded pixels and what must be carried to the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Format = str
"""Name of a format that is read, see `translate.images.formats`."""
OutputFormat = str
"""Name of a format that is also written."""
Frames = Literal["first", "refuse"]
"""What is made of a file with several frames or pages."""
ExifChoice = Literal["drop", "keep"]
"""Whether EXIF that tells of camera, time, place and owner is carried to the output."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be decoded; checked on the header, before any pixel is."""

    max_pixels: int = 100_000_000
    """Width times height."""
    max_bytes: int = 512 * 1024 * 1024
    """Of the encoded file."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded image, upright and in sRGB."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) uint8 RGB, C-contiguous."""
    alpha: NDArray[np.uint8] | None
    """(H, W) uint8, or None where the source had no transparency."""
    format: Format
    """What the source's content was, whatever its name said."""
    notes: tuple[str, ...] = ()
    """Stable words for what was lost or chosen: ``first_frame``, ``precision_16_to_8``, ``icc_converted``,
    ``icc_invalid``, ``cmyk_without_profile``, ``color_ignored``, ``metadata_dropped``, ``exif_rotated``,
    ``exif_lost``; ``in_parts`` and ``approximate`` for how a large picture was translated."""
    exif: bytes = b""
    """EXIF to carry to the output, empty unless it was asked for; upright, without what describes pixels."""
