"""Sample sheets: what the translators do now, as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from translate.images import tensors
from translate.images.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from translate.models.contract import ArchitectureConfig

GAP_PX = 4


def sample_sheet(
    generators: Mapping[str, nn.Module],
    directions: Mapping[str, tuple[str, str]],
    samples: Mapping[str, list[Tensor]],
) -> Picture:
    """For each direction a row of inputs, (C, H, W) float in [-1, 1], above a row of their translations."""
    rows = []
    for role, (source, _) in directions.items():
        made = [tensors.to_pixels(translated(generators[role], image)) for image in samples[source]]
        rows += [_row([tensors.to_pixels(image) for image in samples[source]]), _row(made)]
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, GAP_PX), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return Picture(np.ascontiguousarray(np.concatenate(rows)), None, "png")


def translated(generator: nn.Module, image: Tensor) -> Tensor:
    """One image through a generator as it is: (C, H, W) float in [-1, 1] on the CPU, any size, to the same."""
    was_training = generator.training
    generator.eval()
    multiple = cast("ArchitectureConfig", generator.config).multiple
    with torch.inference_mode():
        padded, crop = tensors.pad_to_multiple(image[None], multiple, 2 * multiple)
        made = generator(padded.to(next(generator.parameters()).device)).cpu()
        out = tensors.crop_back(made, crop)[0].clamp(-1, 1)
    generator.train(was_training)
    return out


def _row(images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    height = max(image.shape[0] for image in images)
    return np.concatenate(
        [np.pad(image, ((0, height - image.shape[0]), (0, GAP_PX), (0, 0)), constant_values=255) for image in images],
        axis=1,
    )
