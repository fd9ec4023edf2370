"""The PatchGAN discriminator: scores of overlapping patches.

Isola et al. 2017 (arXiv:1611.07004), section 3.2.2 and appendix 6.1.2: 4x4 convolutions, LeakyReLU 0.2, no norm on
the first layer, one output channel. Three layers judge patches of 70 pixels, two of 34, one of 16. With
antialiased sampling as in CUT (arXiv:2007.15651).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.models.contract import ArchitectureConfig
from translate.models.norm import InstanceNorm2d
from translate.models.resnet import BlurDown, initialise

ROLE = "discriminator"


class Config(ArchitectureConfig):
    """PatchGAN; the reference's ``basic`` with 3 channels is the default."""

    in_channels: int = Field(default=3, ge=1)
    """Of what is judged; a paired game judges source and target stacked."""
    width: int = Field(default=64, ge=1)
    layers: int = Field(default=3, ge=1)
    """Strided layers: 3 give the 70-pixel patch."""
    norm: Literal["instance", "batch", "none"] = "instance"
    spectral: bool = False
    """Spectral normalisation of every convolution (Miyato et al. 2018, arXiv:1802.05957)."""
    sampling: Literal["plain", "antialiased"] = "plain"
    padding: Literal[1, 2] = 1
    """Zeros around every convolution's input; two in pix2pixHD."""


class Network(nn.Module):
    """The discriminator."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**i, 8) for i in range(config.layers + 1)]
        parts: list[nn.Module] = [*_strided(config, config.in_channels, widths[0], first=True)]
        for before, after in pairwise(widths[:-1]):
            parts += _strided(config, before, after, first=False)
        parts += [_conv(config, widths[-2], widths[-1], stride=1, bias=_has_bias(config)), *_norm(config, widths[-1]),
                  nn.LeakyReLU(0.2, inplace=True), _conv(config, widths[-1], 1, stride=1, bias=True)]
        initialise(nn.ModuleList(parts))
        if config.spectral:
            parts = [spectral_norm(part) if isinstance(part, nn.Conv2d) else part for part in parts]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) in [-1, 1] -> one score map [(N, 1, h, w)], unbounded."""
        return [self.layers(x)]

    def scores_and_features(self, x: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """The scores of ``forward``, and of its one scale the layers' outputs after their activations."""
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                features.append(x)
        return [x], [features]


def _strided(config: Config, before: int, after: int, *, first: bool) -> list[nn.Module]:
    antialiased = config.sampling == "antialiased"
    conv = _conv(config, before, after, stride=1 if antialiased else 2, bias=first or _has_bias(config))
    layers = [conv, *([] if first else _norm(config, after)), nn.LeakyReLU(0.2, inplace=True)]
    return [*layers, BlurDown()] if antialiased else layers


def _conv(config: Config, before: int, after: int, *, stride: int, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=stride, padding=config.padding, bias=bias)


def _has_bias(config: Config) -> bool:
    return config.norm != "batch"


def _norm(config: Config, channels: int) -> list[nn.Module]:
    if config.norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [InstanceNorm2d(channels)] if config.norm == "instance" else []
