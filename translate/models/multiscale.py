"""Several PatchGANs, each on a smaller copy of the image.

Wang et al. 2018 (pix2pixHD, arXiv:1711.11585), section 3.2: the copies are averaged down by two each time; the
coarsest discriminator sees the largest part of the image and holds its composition, the finest its detail.
"""

from __future__ import annotations

from typing import Literal, cast

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from translate.models import patchgan

ROLE = "discriminator"


class Config(patchgan.Config):
    """Options of every scale's PatchGAN, and how many scales there are; the paper's three are the default."""

    scales: int = Field(default=3, ge=1)
    padding: Literal[1, 2] = 2


class Network(nn.Module):
    """The discriminator; ``scales[0]`` sees the image itself."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(patchgan.Network(config) for _ in range(config.scales))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) in [-1, 1] -> a score map (N, 1, h, w) of each scale, finest first, unbounded."""
        return self.scores_and_features(x)[0]

    def scores_and_features(self, x: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """The scores of ``forward`` and, for each scale, the layers' outputs after their activations."""
        scores: list[Tensor] = []
        features: list[list[Tensor]] = []
        for index, scale in enumerate(self.scales):
            x = halved(x) if index else x
            score, layers = cast("patchgan.Network", scale).scores_and_features(x)
            scores += score
            features += layers
        return scores, features


def halved(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2)): means of 3x3 pixels, at the border only of those that exist."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
