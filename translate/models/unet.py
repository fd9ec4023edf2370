"""The U-Net generator of pix2pix.

Isola et al. 2017 (arXiv:1611.07004), sections 3.2.1 and 6.1.1: an encoder of 4x4 stride-2 convolutions down
to (usually) one pixel, a decoder back, and a skip from every encoder level to the decoder level of that size.
``unet_256`` of the reference has 8 levels, ``unet_128`` 7.

Shapes: N batch, C channels, H, W; (N, in_channels, H, W) float in [-1, 1] -> (N, out_channels, H, W)
likewise.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from translate.models.contract import ArchitectureConfig
from translate.models.norm import InstanceNorm2d
from translate.models.resnet import initialise

ROLE = "generator"


class Config(ArchitectureConfig):
    """U-Net; ``unet_256`` of the reference with pix2pix's batch norm is the default."""

    in_channels: int = Field(default=3, ge=1)
    out_channels: int = Field(default=3, ge=1)
    width: int = Field(default=64, ge=1)
    """Channels of the first level; they double a level down, to at most eight times as many."""
    levels: int = Field(default=8, ge=2)
    """Halvings: 8 take 256 pixels to one."""
    norm: Literal["instance", "batch", "none"] = "batch"
    affine: bool = False
    """Instance norm with learned scale and shift (batch norm always has them)."""
    dropout: bool = False
    """Dropout of 0.5 in the decoder, on the levels of full width but the innermost (with 8 levels: three)."""

    @property
    def multiple(self) -> int:
        """Every level halves."""
        return int(2**self.levels)

    @property
    def receptive_radius_px(self) -> int:
        """The furthest that an output pixel looks, following the interval of pixels it reads up and down."""
        return max(self._reach(pixel) for pixel in range(self.multiple))

    def _reach(self, pixel: int) -> int:
        low = high = pixel
        for _ in range(self.levels):  # a transposed convolution (4x4, stride 2, pad 1) reads 2 pixels
            low, high = -(-(low - 2) // 2), (high + 1) // 2
        for _ in range(self.levels):  # a convolution (4x4, stride 2, pad 1) reads 4
            low, high = 2 * low - 1, 2 * high + 2
        return max(pixel - low, high - pixel)


class Network(nn.Module):
    """The generator. ``down[i]`` and ``up[i]`` are the two halves of level ``i``, 0 being the outermost."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**level, 8) for level in range(config.levels)]
        self.down = nn.ModuleList(_down(config, widths, level) for level in range(config.levels))
        self.up = nn.ModuleList(_up(config, widths, level) for level in range(config.levels))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W) in [-1, 1]; H, W multiples of 2**levels."""
        skips: list[Tensor] = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.up[-1](F.relu(skips.pop()))
        for up in reversed(self.up[:-1]):
            x = up(F.relu(torch.cat([skips.pop(), x], dim=1)))
        return torch.tanh(x)


class Halving(nn.Conv2d):
    """A convolution of stride 2, right also where it leaves a single column of pixels.

    There, in bfloat16 with AMX, torch 2.14.1's gives (N, C, 5 or more, 1) with memory in it that nobody has written:
    with anything, or NaN. Lying on its side the same image is computed rightly.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H // 2, W // 2)."""
        if x.shape[3] <= 3 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            return F.conv2d(x.mT, self.weight.mT, self.bias, self.stride, self.padding).mT
        return super().forward(x)


def _down(config: Config, widths: list[int], level: int) -> nn.Sequential:
    """LeakyReLU (not on the image), 4x4 stride 2, norm (neither outermost nor innermost)."""
    before = config.in_channels if level == 0 else widths[level - 1]
    conv = Halving(before, widths[level], 4, stride=2, padding=1, bias=_has_bias(config))
    activation = [] if level == 0 else [nn.LeakyReLU(0.2)]
    inner = 0 < level < config.levels - 1
    return nn.Sequential(*activation, conv, *(_norm(config, widths[level]) if inner else []))


def _up(config: Config, widths: list[int], level: int) -> nn.Sequential:
    """4x4 transposed stride 2 over the level's own features and the skip, norm, (dropout)."""
    innermost = level == config.levels - 1
    before = widths[level] if innermost else 2 * widths[level]
    if level == 0:
        return nn.Sequential(nn.ConvTranspose2d(before, config.out_channels, 4, stride=2, padding=1))
    after = widths[level - 1]
    conv = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=_has_bias(config))
    full_width = after == widths[level] == 8 * config.width
    dropout = [nn.Dropout(0.5)] if config.dropout and full_width and not innermost else []
    return nn.Sequential(conv, *_norm(config, after), *dropout)


def _has_bias(config: Config) -> bool:
    return config.norm == "instance"


def _norm(config: Config, channels: int) -> list[nn.Module]:
    if config.norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [InstanceNorm2d(channels, affine=config.affine)] if config.norm == "instance" else []
