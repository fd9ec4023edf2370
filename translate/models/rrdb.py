"""ESRGAN's network, which draws a picture four times as large, behind a shrinking by four: it draws pictures anew.

Wang et al. 2018 (arXiv:1809.00219), sections 3.1 and 4.2: residual in residual dense blocks without norms, then two
enlargements. What a shrunk picture no longer shows, such as brush strokes, is drawn as the network was trained to.

Shapes: N batch, C channels, H, W; (N, 3, H, W) float in [-1, 1] -> (N, 3, H, W) about in [-1, 1].
"""

from __future__ import annotations

from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from translate.models.contract import ArchitectureConfig

ROLE = "generator"

SHRINK = 4
RESIDUAL = 0.2
"""Share of a block's change that is added to its input."""


class Config(ArchitectureConfig):
    """RRDB generator; Real-ESRGAN x4plus is the default."""

    in_channels: int = Field(default=3, ge=1)
    out_channels: int = Field(default=3, ge=1)
    width: int = Field(default=64, ge=1)
    """Channels between the blocks."""
    growth: int = Field(default=32, ge=1)
    """Channels that each convolution of a dense block adds."""
    blocks: int = Field(default=23, ge=0)

    @property
    def multiple(self) -> int:
        """The picture is shrunk by this."""
        return SHRINK

    @property
    def receptive_radius_px(self) -> int:
        """1396 with 23 blocks: 15 convolutions a block, four more, each pixel of them four of the picture."""
        return SHRINK * (15 * self.blocks + 4)


class Shrink(nn.Module):
    """Mean of each square of four by four pixels, in [0, 1]."""

    reach_px = 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> (N, C, H/4, W/4) in [0, 1]."""
        return F.avg_pool2d(x, SHRINK) * 0.5 + 0.5


class Double(nn.Module):
    """Each pixel becomes a square of two by two."""

    reach_px = 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2H, 2W)."""
        return F.interpolate(x, scale_factor=2, mode="nearest")


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the input and what those before it made."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, growth = config.width, config.growth
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width + growth * number, growth if number < 4 else width, 3, padding=1) for number in range(5))
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        seen = x
        for convolution in self.convolutions[:4]:
            seen = torch.cat([seen, self.activation(convolution(seen))], dim=1)
        return torch.add(x, self.convolutions[4](seen), alpha=RESIDUAL)


class Block(nn.Module):
    """Three dense blocks, a share of whose change is added to the input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(config) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return torch.add(x, self.dense(x), alpha=RESIDUAL)


class Network(nn.Module):
    """The generator; its modules are in the order of use."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.shrink = Shrink()
        self.stem = nn.Conv2d(config.in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.blocks)))
        self.trunk = nn.Conv2d(width, width, 3, padding=1)
        self.up = nn.Sequential(*(
            layer for _ in range(2)
            for layer in (Double(), nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2))))
        self.head = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, config.out_channels, 3, padding=1))
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W), H and W multiples of 4; values may leave [-1, 1]."""
        stem = self.stem(self.shrink(x))
        return cast("Tensor", self.head(self.up(stem + self.trunk(self.blocks(stem)))))


def _initialise(network: nn.Module) -> None:
    """A tenth of He's weights, biases 0 (arXiv:1809.00219, supplementary material)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            module.weight.data.mul_(0.1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
