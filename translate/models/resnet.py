"""The ResNet generator of CycleGAN, plain or with antialiased sampling.

Johnson et al. 2016 (arXiv:1603.08155) as used by Zhu et al. 2017 (arXiv:1703.10593), section 7.2: a 7x7 stem, two
stride-2 downs, residual blocks, two ups, a 7x7 head. Antialiased sampling after Zhang 2019 (arXiv:1904.11486), as
used by CUT (Park et al. 2020, arXiv:2007.15651). With four downs it is the global generator of pix2pixHD (Wang et al.
2018, arXiv:1711.11585, section 3.1).

Shapes: N batch, C channels, H, W; (N, in_channels, H, W) float in [-1, 1] -> (N, out_channels, H, W).
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from translate.models.contract import ArchitectureConfig
from translate.models.norm import InstanceNorm2d
from translate.models.reflect import ReflectedConv2d, in_own_format, pad

ROLE = "generator"
GRAIN_REACH_PX = 4


class Config(ArchitectureConfig):
    """ResNet generator; ``resnet_9blocks`` of the reference is the default."""

    in_channels: int = Field(default=3, ge=1)
    out_channels: int = Field(default=3, ge=1)
    width: int = Field(default=64, ge=1)
    """Channels of the first layer; every down doubles them."""
    downs: int = Field(default=2, ge=1)
    """Halvings before the blocks; four in pix2pixHD."""
    blocks: int = Field(default=9, ge=0)
    sampling: Literal["plain", "antialiased"] = "plain"
    """``plain``: strided and transposed convolutions. ``antialiased``: blur before dropping or after adding pixels."""
    norm: Literal["instance", "batch", "none"] = "instance"
    affine: bool = False
    """Instance norm with learned scale and shift (batch norm always has them)."""
    dropout: bool = False
    """Dropout of 0.5 inside the residual blocks."""
    residual_output: bool = False
    """Add the last layer's output to the input instead of ending in tanh: the network learns only the change."""
    residual_blur_px: int = Field(default=0, ge=0, le=32)
    """Blur the input by a triangle of this radius before it is added: its tones stay by themselves, its fine detail,
    such as brush strokes, only if the network paints it again."""
    grain: int = Field(default=0, ge=0, le=16)
    """Planes of noise beside the input, made of the input's own faintest differences (see `Grain`): what lets an even
    sky be painted in strokes that differ."""

    @property
    def multiple(self) -> int:
        """Every down halves."""
        return int(2**self.downs)

    @property
    def minimum_px(self) -> int:
        """The blocks reflect one pixel below the downs, so two pixels must be there; the grain reflects four."""
        return max(2 * self.multiple, 2 * GRAIN_REACH_PX if self.grain else 0)

    @property
    def receptive_radius_px(self) -> int:
        """84 with nine blocks, 60 with six; antialiased 93 and 69.

        Stem and head 3 each; per block two 3x3 convolutions below the downs; with two downs 1 + 2, their ups 2 + 1,
        and with antialiased sampling also blurs of 1 + 2 and 4 + 2.
        """
        levels = self.multiple - 1
        convolutions = 2 * self.multiple * self.blocks + 6 + levels * (2 if self.sampling == "plain" else 5)
        return max(convolutions + (GRAIN_REACH_PX if self.grain else 0), self.residual_blur_px)

    @model_validator(mode="after")
    def _residual_needs_equal_channels(self) -> Config:
        if self.residual_output and self.in_channels != self.out_channels:
            raise ValueError("residual_output needs in_channels equal to out_channels")
        if self.residual_blur_px and not self.residual_output:
            raise ValueError("residual_blur_px blurs what residual_output adds; set that too")
        return self


class BlurDown(nn.Module):
    """Halve H and W: reflect pad 1, then the depthwise blur [1,2,1] x [1,2,1] / 16 with stride 2.

    In bfloat16, where depthwise convolutions are slow, as two means of [1,1]: the same function, rounded otherwise.
    """

    reach_px = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2))."""
        x = pad(x, (1, 1, 1, 1), "reflect")
        if x.dtype == torch.bfloat16:
            return F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2)
        return F.conv2d(x, _blur([1.0, 2.0, 1.0], x), stride=2, groups=x.shape[1])


class BlurUp(nn.Module):
    """Double H and W: replicate pad 1, zeros between the pixels, the depthwise blur [1,3,3,1] x [1,3,3,1] / 16.

    That is bilinear interpolation between pixel centres, and in bfloat16, where depthwise convolutions are slow, it
    is computed so: the same function, rounded otherwise.
    """

    reach_px = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2H, 2W)."""
        if x.dtype == torch.bfloat16:
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = pad(x, (1, 1, 1, 1), "replicate")
        x = F.conv_transpose2d(x, _blur([1.0, 3.0, 3.0, 1.0], x), stride=2, padding=2, groups=x.shape[1])
        return x[:, :, 1:-1, 1:-1]


def _blur(row: list[float], like: Tensor) -> Tensor:
    """(C, 1, k, k): the outer product of ``row`` with itself over 16, for every channel."""
    filt = torch.tensor(row, dtype=like.dtype, device=like.device)
    # int: in a traced graph a shape is a tensor, and ONNX has convolutions of known shape alone.
    return (torch.outer(filt, filt) / 16).expand(int(like.shape[1]), 1, len(row), len(row))


class Grain(nn.Module):
    """The image, and noise that follows from it alone: the same pixels have the same noise, wherever they lie.

    Random weights, which never learn, add up each pixel's surroundings in grey levels. The sine of that sum tells of
    its fraction only: differences no eye sees, such as a sensor's noise or a slow gradient, make it another value.
    Where all pixels are equal it is one value.
    """

    reach_px = GRAIN_REACH_PX
    weight: Tensor

    def __init__(self, planes: int) -> None:
        super().__init__()
        side = 2 * self.reach_px + 1
        weight = 0.5 * torch.randn(planes, 1, side, side, generator=torch.Generator().manual_seed(0))
        weight = (weight - weight.mean((2, 3), keepdim=True)).mul(256).round().div(256)  # exact in float16 too
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> (N, C + planes, H, W)."""
        with in_own_format(x.device.type):
            levels = 127.5 * x.mean(1, keepdim=True)
            sums = F.conv2d(pad(levels, (self.reach_px,) * 4, "reflect"), self.weight)
            return torch.cat([x, torch.sin(sums)], dim=1)


class Block(nn.Module):
    """Residual block: reflect pad, 3x3, norm, ReLU, (dropout), reflect pad, 3x3, norm, added to its input."""

    def __init__(self, config: Config, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            ReflectedConv2d(channels, channels, 3, bias=has_bias(config)),
            *norm(config, channels),
            nn.ReLU(inplace=True),
        ]
        if config.dropout:
            layers.append(nn.Dropout(0.5))
        layers += [
            ReflectedConv2d(channels, channels, 3, bias=has_bias(config)),
            *norm(config, channels),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class Soften(nn.Module):
    """Weigh by a triangle of that radius (two box means); the edges repeat. A radius of 0 changes nothing."""

    def __init__(self, radius_px: int) -> None:
        super().__init__()
        self.reach_px = radius_px

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        if self.reach_px == 0:
            return x
        x = pad(x, (self.reach_px,) * 4, "replicate")
        return F.avg_pool2d(F.avg_pool2d(x, self.reach_px + 1, stride=1), self.reach_px + 1, stride=1)


class Network(nn.Module):
    """The generator. ``encode`` gives the features that patchwise contrastive terms look at."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.grain = Grain(config.grain) if config.grain else nn.Identity()
        self.stem = nn.Sequential(
            ReflectedConv2d(config.in_channels + config.grain, width, 7, bias=has_bias(config)),
            *norm(config, width),
            nn.ReLU(inplace=True),
        )
        widths = [width * 2**level for level in range(config.downs + 1)]
        self.down = nn.Sequential(*(layer for wide in widths[:-1] for layer in _down(config, wide)))
        self.blocks = nn.Sequential(*(Block(config, widths[-1]) for _ in range(config.blocks)))
        self.up = nn.Sequential(*(layer for wide in widths[:0:-1] for layer in _up(config, wide)))
        self.head = ReflectedConv2d(width, config.out_channels, 7)
        self.soften = Soften(config.residual_blur_px)
        initialise(self)
        if config.norm == "none":
            self._initialise_without_norms()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W); H, W multiples of ``multiple``, at least ``minimum_px``.

        In [-1, 1], except with ``residual_output``, where training lets values leave the range and the
        translator clamps them.
        """
        y: Tensor = self.head(self.up(self.blocks(self.down(self.stem(self.grain(x))))))
        if self.config.residual_output:
            return cast("Tensor", self.soften(x)) + y
        return torch.tanh(y)

    def _initialise_without_norms(self) -> None:
        """Weights that keep the size of what passes through (He et al. 2015, arXiv:1502.01852, eq. 10).

        What is added, by a block or to the image, begins at a tenth of that, as in ESRGAN (arXiv:1809.00219).
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        with torch.no_grad():
            for block in self.blocks:
                last = list(cast("Block", block).layers)[-1]
                assert isinstance(last, nn.Conv2d)
                last.weight.mul_(0.1)
            self.head.weight.mul_(0.1)

    def encode(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) -> features, fine to coarse: the image, every down's convolution, two blocks.

        The blocks are the first and the middle one. With nine blocks and two downs these are the five layers of CUT
        (arXiv:2007.15651, appendix C.2); the reference's first is padded by three pixels, ours is not.
        """
        features = [x]
        x = self.stem(self.grain(x))
        for layer in self.down:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                features.append(x)
        looked_at = self._looked_at()
        for index in range(max(looked_at, default=-1) + 1):
            x = self.blocks[index](x)
            if index in looked_at:
                features.append(x)
        return features

    @property
    def feature_channels(self) -> list[int]:
        """Channels of the features that `encode` gives."""
        config = self.config
        downs = [config.width * 2 ** (level + 1) for level in range(config.downs)]
        return [config.in_channels, *downs, *(downs[-1] for _ in self._looked_at())]

    def _looked_at(self) -> list[int]:
        blocks = self.config.blocks
        return sorted({0, blocks // 2}) if blocks else []


def _down(config: Config, channels: int) -> list[nn.Module]:
    antialiased = config.sampling == "antialiased"
    stride = 1 if antialiased else 2
    layers = [
        nn.Conv2d(channels, 2 * channels, 3, stride=stride, padding=1, bias=has_bias(config)),
        *norm(config, 2 * channels),
        nn.ReLU(inplace=True),
    ]
    return [*layers, BlurDown()] if antialiased else layers


def _up(config: Config, channels: int) -> list[nn.Module]:
    half = channels // 2
    tail = [*norm(config, half), nn.ReLU(inplace=True)]
    if config.sampling == "antialiased":
        return [BlurUp(), nn.Conv2d(channels, half, 3, padding=1, bias=has_bias(config)), *tail]
    bias = has_bias(config)
    return [nn.ConvTranspose2d(channels, half, 3, stride=2, padding=1, output_padding=1, bias=bias), *tail]


def has_bias(config: Config) -> bool:
    """Only instance norm leaves the convolutions before it a bias; it has no shift of its own in the reference."""
    return config.norm == "instance"


def norm(config: Config, channels: int) -> list[nn.Module]:
    """The normalisation layer of a configuration, or none."""
    if config.norm == "batch":
        return [nn.BatchNorm2d(channels)]
    if config.norm == "instance":
        return [InstanceNorm2d(channels, affine=config.affine)]
    return []


def initialise(network: nn.Module) -> None:
    """Weights of convolutions ~ N(0, 0.02), biases 0 (arXiv:1703.10593, section 7.2); norms 1 and 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
