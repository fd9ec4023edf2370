"""An image as a network sees it, padded to its multiple, handed out in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from translate.images.tensors import Crop, pad_to_multiple, to_channels, to_tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from translate.models.translator import Translator


class PaddedImage:
    """A picture (H, W, 3) uint8 or an image (1, C, H, W) float in [-1, 1]; what is padded is never made as a whole."""

    def __init__(self, image: NDArray[np.uint8] | Tensor, translator: Translator) -> None:
        height, width = image.shape[2:] if isinstance(image, Tensor) else image.shape[:2]
        self._image = image
        self._channels = translator.in_channels
        self._rows, top = _padded(height, translator)
        self._columns, left = _padded(width, translator)
        self.crop = Crop(top, left, height, width)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width with padding."""
        return len(self._rows), len(self._columns)

    def read(self, rows: slice, columns: slice) -> Tensor:
        """A part of the padded image, (1, C, h, w) float32 in [-1, 1]."""
        at, by = self._rows[rows], self._columns[columns]
        if isinstance(self._image, Tensor):
            return self._image[:, :, at][:, :, :, by]
        return to_channels(to_tensor(self._image[at.numpy()][:, by.numpy()]), self._channels)[None]


def _padded(side: int, translator: Translator) -> tuple[Tensor, int]:
    """Which pixel of a side stands at each place of the padded side, and where the first one stands."""
    line = torch.arange(side, dtype=torch.float64).reshape(1, 1, side, 1)
    padded, crop = pad_to_multiple(line, translator.multiple, translator.minimum_px)
    return padded[0, 0, :, 0].long(), crop.top
