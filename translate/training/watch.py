"""Early signs that a game goes wrong, read off the sample images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from translate.metrics import artefacts
from translate.training.sheet import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

SIDE_PX = 128
"""Samples are looked at in this size."""
LEAST_CORRELATION = -0.2
"""Of light and dark between input and output, over all samples; below it the translator paints negatives."""
LEAST_VARIETY = 0.1
"""Distance between outputs against the distance between their inputs; below it all outputs are alike."""


def warnings_of(
    generators: Mapping[str, nn.Module],
    directions: Mapping[str, tuple[str, str]],
    samples: Mapping[str, list[Tensor]],
) -> list[str]:
    """A sentence for each direction whose outputs are negatives of their inputs, or the same whatever the input.

    ``samples``: (C, H, W) float in [-1, 1] by domain.
    """
    found = []
    for role, (source, _) in directions.items():
        inputs = torch.stack([_square(image) for image in samples[source]])
        outputs = torch.stack([_square(translated(generators[role], image)) for image in samples[source]])
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
