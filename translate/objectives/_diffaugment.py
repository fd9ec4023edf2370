"""Differentiable augmentation of what discriminators see, so that a small set is not learnt by heart.

Zhao et al. 2020 (DiffAugment, arXiv:2006.10738), section 3: real and made images go through the same kind of change,
in the discriminator's step and in the generator's, which learns through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Augmentation = Literal["colour", "translation", "cutout"]
SHIFT_SHARE = 1 / 8
CUT_SHARE = 1 / 2


def diff_augment(images: Sequence[Tensor], kinds: Collection[Augmentation]) -> list[Tensor]:
    """Change images (N, C, H, W) in [-1, 1], N, H, W equal; draws from torch's global generator.

    Place n is changed in its own way, and in the same way in every tensor: the halves of a pair stay a pair. Values
    may leave [-1, 1]; what is uncovered or cut out is 0, mid-grey. Without ``kinds`` the images themselves return.
    """
    out = list(images)
    if "colour" in kinds:
        out = _colour(out)
    if "translation" in kinds:
        out = _translation(out)
    if "cutout" in kinds:
        out = _cutout(out)
    return out


def _colour(images: list[Tensor]) -> list[Tensor]:
    """Brightness +-0.5, saturation x 0 to 2, contrast x 0.5 to 1.5, in this order."""
    brightness, saturation, contrast = torch.rand(3, len(images[0]), 1, 1, 1, device=images[0].device)
    out = []
    for image in images:
        x = image + (brightness - 0.5)
        grey = x.mean(dim=1, keepdim=True)
        x = grey + (x - grey) * (2 * saturation)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        out.append(mean + (x - mean) * (contrast + 0.5))
    return out


def _translation(images: list[Tensor]) -> list[Tensor]:
    """Shifts of up to an eighth of the side each way."""
    count, _, height, width = images[0].shape
    rows, columns = round(height * SHIFT_SHARE), round(width * SHIFT_SHARE)
    tops = torch.randint(2 * rows + 1, (count,)).tolist()
    lefts = torch.randint(2 * columns + 1, (count,)).tolist()
    out = []
    for image in images:
        padded = F.pad(image, (columns, columns, rows, rows))
        out.append(torch.stack([one[:, top : top + height, left : left + width]
                                for one, top, left in zip(padded, tops, lefts, strict=True)]))
    return out


def _cutout(images: list[Tensor]) -> list[Tensor]:
    """A rectangle of half the sides, its centre anywhere in the image."""
    count, _, height, width = images[0].shape
    tall, wide = round(height * CUT_SHARE), round(width * CUT_SHARE)
    kept = torch.ones(count, 1, height, width, device=images[0].device)
    centres = zip(torch.randint(height, (count,)).tolist(), torch.randint(width, (count,)).tolist(), strict=True)
    for mask, (row, column) in zip(kept, centres, strict=True):
        top, left = row - tall // 2, column - wide // 2
        mask[:, max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)] = 0
    return [image * kept for image in images]
