"""Between pictures and networks: uint8 (H, W, 3) RGB outside, float32 (C, H, W) in [-1, 1] inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G, B in ITU-R BT.601 luma, the grey of JPEG, Pillow and the reference projects."""


class Crop(NamedTuple):
    """Where the picture lies inside its padded tensor, in pixels."""

    top: int
    left: int
    height: int
    width: int


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(H, W, C) or (H, W) uint8 -> (C, H, W) float32 in [-1, 1]; 0 is -1, 255 is 1.

    The order of operations is that of the reference projects (to [0, 1], minus 0.5, over 0.5), so that
    results agree to the last bit. NumPy does them, as torch would wake its other threads for each picture.
    """
    channels_last = pixels if pixels.ndim == 3 else pixels[..., None]
    values = channels_last.transpose(2, 0, 1).astype(np.float32, order="C")
    values /= np.float32(255)
    values -= np.float32(0.5)
    values /= np.float32(0.5)
    return torch.from_numpy(values)


def to_pixels(tensor: Tensor, *, rounding: Literal["round", "truncate"] = "round") -> NDArray[np.uint8]:
    """(1 or 3, H, W) float in [-1, 1] -> (H, W, 3) uint8 RGB, C-contiguous; one channel is repeated.

    Values beyond [-1, 1] are clamped; they must be finite (the caller refuses NaN). ``round`` gives back
    exactly what `to_tensor` was given; ``truncate`` is what the reference projects write, half a level darker
    on average.
    """
    assert tensor.ndim == 3, f"expected (1 or 3, H, W), got {tuple(tensor.shape)}"
    levels = np.clip(tensor.detach().to("cpu", torch.float32).numpy(), -1, 1)
    levels += np.float32(1)
    levels /= np.float32(2)
    levels *= np.float32(255)
    if rounding == "round":
        np.rint(levels, out=levels)
    pixels = np.broadcast_to(levels.astype(np.uint8), (3, *levels.shape[1:]))
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def to_channels(tensor: Tensor, channels: int) -> Tensor:
    """(..., 1 or 3, H, W) -> (..., ``channels``, H, W): RGB to luma, or grey repeated."""
    have = tensor.shape[-3]
    if have == channels:
        return tensor
    if (have, channels) == (3, 1):
        weights = torch.tensor(LUMA, dtype=tensor.dtype, device=tensor.device).view(3, 1, 1)
        return (tensor * weights).sum(dim=-3, keepdim=True)
    if (have, channels) == (1, 3):
        return tensor.expand(*tensor.shape[:-3], 3, *tensor.shape[-2:])
    raise ValueError(f"cannot turn {have} channels into {channels}: pictures have 1 (grey) or 3 (RGB)")


def pad_to_multiple(x: Tensor, multiple: int, minimum: int = 1) -> tuple[Tensor, Crop]:
    """Pad (N, C, H, W) evenly until H and W are multiples of ``multiple`` and at least ``minimum``.

    Borders are reflected; where a side is too short for that, its edge is repeated. `crop_back` undoes it.
    """
    height, width = x.shape[-2:]
    rows, columns = _padding(height, multiple, minimum), _padding(width, multiple, minimum)
    x = F.pad(x, (0, 0, *rows), mode=_mode(height, rows)) if any(rows) else x
    x = F.pad(x, (*columns, 0, 0), mode=_mode(width, columns)) if any(columns) else x
    return x, Crop(rows[0], columns[0], height, width)


def crop_back(x: Tensor, crop: Crop) -> Tensor:
    """The part of a padded (N, C, H, W) tensor that is the picture."""
    return x[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]


def _padding(side: int, multiple: int, minimum: int) -> tuple[int, int]:
    target = -(-max(side, minimum) // multiple) * multiple
    before = (target - side) // 2
    return before, target - side - before


def _mode(side: int, padding: tuple[int, int]) -> str:
    return "reflect" if max(padding) < side else "replicate"
