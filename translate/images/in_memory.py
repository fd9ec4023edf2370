"""Pictures as programs hold them, to a `Picture` and back: NumPy arrays, Pillow images, torch tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import ExifTags, Image

from translate.errors import ItemError, UsageError
from translate.images._color import is_readable, to_eight_bits, to_srgb, upright
from translate.images._reader import PILLOW_FAULTS
from translate.images.hidden import fill_hidden
from translate.images.picture import Picture
from translate.images.tensors import to_pixels, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

PillowImage = Image.Image
"""What other rooms call a Pillow image."""
BEYOND = 0.01
"""So far beyond [-1, 1] a tensor's values may be; they are clamped."""


def from_array(array: NDArray[np.uint8]) -> Picture:
    """uint8 (H, W, 3) RGB, (H, W, 4) with alpha, or grey (H, W) or (H, W, 1). Raises `UsageError` for another."""
    is_grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if array.dtype != np.uint8 or not (is_grey or (array.ndim == 3 and array.shape[2] in (3, 4))) or not array.size:
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = ". This looks like (C, H, W): transpose it, array.transpose(1, 2, 0)"
        raise UsageError(
            f"cannot translate an array of shape {array.shape} and dtype {array.dtype}; expected uint8 HWC: (H, W, 3) "
            f"RGB, (H, W, 4) with alpha, or grey (H, W){hint}"
        )
    if is_grey:
        grey = array.reshape(array.shape[:2])
        return Picture(np.repeat(grey[..., None], 3, axis=2), None, "png")
    return _picture(array[..., :3].copy(), np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None)


def to_array(picture: Picture) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB, or (H, W, 4) where there is alpha."""
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def from_pillow(image: PillowImage) -> Picture:
    """Upright and in sRGB, as its EXIF orientation and colour profile say; the image itself stays as it is.

    Of a file with 16 bits a colour Pillow keeps the high bytes. Raises `ItemError` ``input.unsupported_mode`` for
    float, 32-bit or Lab pixels, ``input.truncated`` if the image is of a file that ends early.
    """
    if not is_readable(image.mode):
        raise ItemError("input.unsupported_mode", f"a Pillow image of mode {image.mode} has no agreed white; convert "
                                                  "it to L, RGB or RGBA")
    icc = image.info.get("icc_profile")
    try:
        image.load()  # turns a TIFF upright
    except PILLOW_FAULTS as error:
        raise ItemError("input.truncated", f"the file of this image ends early or is damaged ({error})") from error
    is_deep = image.mode.startswith("I;16")
    flat = to_eight_bits(image, b"", 16, white_is_zero=False) if is_deep else image
    pixels, alpha, _ = to_srgb(flat, icc)
    orientation = _orientation(image)
    if orientation in range(2, 9):
        pixels = upright(pixels, orientation)
        alpha = None if alpha is None else upright(alpha, orientation)
    return _picture(pixels, alpha)


def to_pillow(picture: Picture) -> PillowImage:
    """Mode RGB, or RGBA where there is alpha."""
    return Image.fromarray(to_array(picture))


def from_tensor(tensor: Tensor) -> Picture:
    """float (1 or 3, H, W) in [-1, 1], rounded to 8 bits, or uint8 (1, 3 or 4, H, W); on any device.

    Raises `UsageError` for another, and for values that are not finite or beyond [-1, 1].
    """
    is_byte = tensor.dtype == torch.uint8
    channels = (1, 3, 4) if is_byte else (1, 3)
    is_number = is_byte or tensor.is_floating_point()
    if not is_number or tensor.ndim != 3 or tensor.shape[0] not in channels or not tensor.numel():
        hint = ""
        if tensor.ndim == 3 and tensor.shape[2] in (1, 3, 4):
            hint = ". This looks like (H, W, C): transpose it, tensor.permute(2, 0, 1)"
        raise UsageError(
            f"cannot translate a tensor of shape {tuple(tensor.shape)} and dtype {tensor.dtype}; expected CHW or NCHW: "
            f"1 or 3 channels of floats in [-1, 1], or 1, 3 or 4 of uint8{hint}"
        )
    if is_byte:
        return from_array(tensor.permute(1, 2, 0).cpu().numpy())
    values = tensor.detach().to("cpu", torch.float32)
    lowest, highest = float(values.numpy().min()), float(values.numpy().max())
    if not (lowest >= -1 - BEYOND and highest <= 1 + BEYOND):  # so that nan is refused
        raise UsageError(f"cannot translate a tensor with values from {lowest:g} to {highest:g}; expected finite ones "
                         "in [-1, 1]; for [0, 255] give uint8")
    return Picture(to_pixels(values), None, "png")


def to_tensor_like(picture: Picture, like: Tensor) -> Tensor:
    """(3, H, W), of uint8 (4, H, W) where there is alpha, in the range, dtype and device of another tensor."""
    if like.dtype == torch.uint8:
        return torch.from_numpy(np.ascontiguousarray(to_array(picture).transpose(2, 0, 1))).to(like.device)
    return to_tensor(picture.pixels).to(like.device, like.dtype)


def _picture(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> Picture:
    """Of pixels that may be changed: what nobody sees does not count."""
    if alpha is not None:
        fill_hidden(pixels, alpha)
    return Picture(pixels, alpha, "png")


def _orientation(image: PillowImage) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except PILLOW_FAULTS:
        return 1  # damaged metadata is no reason to lose a whole picture
