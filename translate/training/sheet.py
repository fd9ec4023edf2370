"""Sample sheets: what the translators do now, as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from translate.images import tensors
from translate.images.picture import Picture
from translate.models.translator import run_padded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import nn

    from translate.models.contract import ArchitectureConfig

GAP_PX = 4


Translated = dict[str, tuple[list[Tensor], list[Tensor]]]
"""By role: sample images and their translations, (C, H, W) float in [-1, 1] on the CPU each."""


def translate_samples(
    generators: Mapping[str, nn.Module],
    directions: Mapping[str, tuple[str, str]],
    samples: Mapping[str, list[Tensor]],
) -> Translated:
    """What each direction's generator makes of the samples of its domain, (C, H, W) float in [-1, 1]."""
    return {role: (samples[source], [_translated(generators[role], image) for image in samples[source]])
            for role, (source, _) in directions.items()}


def sample_sheet(translated: Translated) -> Picture:
    """For each direction a row of samples above a row of their translations."""
    rows = []
    for images, made in translated.values():
        rows += [_row([tensors.to_pixels(image) for image in images]), _row([tensors.to_pixels(out) for out in made])]
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, GAP_PX), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return Picture(np.ascontiguousarray(np.concatenate(rows)), None, "png")


def _translated(generator: nn.Module, image: Tensor) -> Tensor:
    """One image through a generator as a run does it: (C, H, W) float in [-1, 1] on the CPU, any size, to the same."""
    was_training = generator.training
    generator.eval()
    device = next(generator.parameters()).device
    with torch.inference_mode():
        out = run_padded(generator, cast("ArchitectureConfig", generator.config), image[None].to(device))[0].cpu()
    generator.train(was_training)
    return out


def _row(images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    height = max(image.shape[0] for image in images)
    return np.concatenate(
        [np.pad(image, ((0, height - image.shape[0]), (0, GAP_PX), (0, 0)), constant_values=255) for image in images],
        axis=1,
    )
