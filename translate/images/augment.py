"""Random crops, flips and colour for training; the only file that knows albumentations.

Every draw follows from the seed handed in, so that a resumed training sees what the uninterrupted one would have.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer version on import

import albumentations as A

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Augment:
    """Cuts one training image (and its target, with the same spatial choices).

    short_side_px: range of the short side after resizing; crop_px: side of the square crop; jitter: 0 (none) to 1,
    strength of brightness, contrast, saturation and hue changes of the image, never of the target.
    """

    def __init__(self, short_side_px: tuple[int, int], crop_px: int, *, flip: bool, jitter: float) -> None:
        low, high = short_side_px
        self._one_at_a_time = threading.Lock()  # a seed holds for the next call on the same object, from any thread
        sides = sorted({int(side) for side in np.linspace(low, high, 16).round()})
        spatial: list[Any] = [A.SmallestMaxSize(max_size=sides, area_for_downscale="image"),
                              A.RandomCrop(crop_px, crop_px)]
        if flip:
            spatial.append(A.HorizontalFlip(p=0.5))
        self._spatial = A.Compose(spatial, additional_targets={"target": "image"})
        self._colour = A.Compose([A.ColorJitter(
            brightness=(1 - 0.3 * jitter, 1 + 0.3 * jitter), contrast=(1 - 0.3 * jitter, 1 + 0.3 * jitter),
            saturation=(1 - 0.4 * jitter, 1 + 0.4 * jitter), hue=(-0.05 * jitter, 0.05 * jitter), p=0.8,
        )]) if jitter > 0 else None

    def __call__(
        self, image: NDArray[np.uint8], target: NDArray[np.uint8] | None, seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """(H, W, 3) uint8 RGB -> (crop_px, crop_px, 3); a target must have the image's height and width."""
        with self._one_at_a_time:
            self._spatial.set_random_seed(seed)
            if target is None:
                image, cut = self._spatial(image=image)["image"], None
            else:
                both = self._spatial(image=image, target=target)
                image, cut = both["image"], both["target"]
            if self._colour is not None:
                self._colour.set_random_seed(seed)
                image = self._colour(image=image)["image"]
        return image, cut
