"""Early signs that a game goes wrong, read off the sample images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from translate.metrics import artefacts

if TYPE_CHECKING:
    from torch import Tensor

    from translate.training.sheet import Translated

SIDE_PX = 128
"""Samples are looked at in this size."""
LEAST_CORRELATION = -0.2
"""Of light and dark between input and output, over all samples; below it the translator paints negatives."""
LEAST_VARIETY = 0.1
"""Distance between outputs against the distance between their inputs; below it all outputs are alike."""


def warnings_of(translated: Translated) -> list[str]:
    """A sentence for each direction whose outputs are negatives of their inputs, or the same whatever the input."""
    found = []
    for role, (images, made) in translated.items():
        inputs = torch.stack([_square(image) for image in images])
        outputs = torch.stack([_square(out) for out in made])
        correlation = float(artefacts.luma_correlation(inputs, outputs).mean())
        if correlation < LEAST_CORRELATION:
            found.append(f"{role} turns light into dark (correlation of luma {correlation:.2f}): train longer, begin "
                         "with another seed, or give identity_weight or answers")
        if len(inputs) > 1 and artefacts.variety(inputs, outputs) < LEAST_VARIETY:
            found.append(f"{role} makes much the same of every input: lower the discriminator's part, or raise "
                         "cycle_weight")
    return found


def _square(image: Tensor) -> Tensor:
    """(C, H, W) -> (3, SIDE_PX, SIDE_PX); shape does not matter to what is looked for."""
    small = torch.nn.functional.interpolate(image[None].float(), (SIDE_PX, SIDE_PX), mode="area")[0]
    return small.expand(3, -1, -1)
