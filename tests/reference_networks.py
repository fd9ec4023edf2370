"""The networks of other projects, written down anew from the layout of their checkpoints.

Nothing here uses `translate`: these are what imported models are compared with. Layers stand in one row, padding
and activations included, so that the numbers of the keys are those of the reference files.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def norm_layer(kind: str, channels: int) -> nn.Module:
    return {
        "instance": lambda: nn.InstanceNorm2d(channels),
        "affine": lambda: nn.InstanceNorm2d(channels, affine=True),
        "batch": lambda: nn.BatchNorm2d(channels),
        "none": nn.Identity,
    }[kind]()


def needs_bias(kind: str) -> bool:
    return kind in ("instance", "affine")


class Shrink(nn.Module):
    """CUT's antialiased halving; its kernel is in the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0])
        kernel = row[:, None] * row[None, :]
        self.channels = channels
        self.register_buffer("filt", (kernel / kernel.sum())[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x):
        padded = nn.ReflectionPad2d(1)(x)
        return F.conv2d(padded, self.filt, stride=2, groups=self.channels)


class Enlarge(nn.Module):
    """CUT's antialiased doubling."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0])
        kernel = row[:, None] * row[None, :]
        self.channels = channels
        self.register_buffer("filt", (4 * kernel / kernel.sum())[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x):
        padded = nn.ReplicationPad2d(1)(x)
        grown = F.conv_transpose2d(padded, self.filt, stride=2, padding=2, groups=self.channels)
        return grown[:, :, 1:-1, 1:-1]


class ResidualBlock(nn.Module):
    def __init__(self, channels: int, norm: str, *, dropout: bool) -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm_layer(norm, channels), nn.ReLU(),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm_layer(norm, channels),
        )

    def forward(self, x):
        return x + self.conv_block(x)


class ResnetReference(nn.Module):
    """Also pix2pixHD's global generator, with four downs."""

    def __init__(
        self, *, channels=(3, 3), width=64, downs=2, blocks=9, norm="instance", dropout=False, antialiased=False
    ):
        super().__init__()
        bias = needs_bias(norm)
        row = [nn.ReflectionPad2d(3), nn.Conv2d(channels[0], width, 7, bias=bias), norm_layer(norm, width), nn.ReLU()]
        for wide in [width * 2**level for level in range(downs)]:
            row += [nn.Conv2d(wide, 2 * wide, 3, stride=1 if antialiased else 2, padding=1, bias=bias),
                    norm_layer(norm, 2 * wide), nn.ReLU()]
            row += [Shrink(2 * wide)] if antialiased else []
        row += [ResidualBlock(width * 2**downs, norm, dropout=dropout) for _ in range(blocks)]
        for wide in [width * 2**level for level in range(downs, 0, -1)]:
            if antialiased:
                row += [Enlarge(wide), nn.Conv2d(wide, wide // 2, 3, padding=1, bias=bias)]
            else:
                row += [nn.ConvTranspose2d(wide, wide // 2, 3, stride=2, padding=1, output_padding=1, bias=bias)]
            row += [norm_layer(norm, wide // 2), nn.ReLU()]
        row += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels[1], 7), nn.Tanh()]
        self.model = nn.Sequential(*row)

    def forward(self, x):
        return self.model(x)


class UnetLevel(nn.Module):
    """One level around the next; all but the outermost put their input beside their output."""

    def __init__(self, row: list[nn.Module], *, outermost: bool) -> None:
        super().__init__()
        self.outermost = outermost
        self.model = nn.Sequential(*row)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UnetReference(nn.Module):
    def __init__(self, *, channels=(3, 3), width=64, levels=8, norm="batch", dropout=False):
        super().__init__()
        bias = needs_bias(norm)
        widths = [width, 2 * width, 4 * width] + [8 * width] * (levels - 3)
        level = UnetLevel([
            nn.LeakyReLU(0.2), nn.Conv2d(widths[-2], widths[-1], 4, 2, 1, bias=bias),
            nn.ReLU(), nn.ConvTranspose2d(widths[-1], widths[-2], 4, 2, 1, bias=bias), norm_layer(norm, widths[-2]),
        ], outermost=False)
        for number in range(levels - 2, 0, -1):
            outer, inner = widths[number - 1], widths[number]
            drops = dropout and outer == inner == 8 * width
            level = UnetLevel([
                nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, 2, 1, bias=bias), norm_layer(norm, inner),
                level,
                nn.ReLU(), nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias), norm_layer(norm, outer),
                *([nn.Dropout(0.5)] if drops else []),
            ], outermost=False)
        self.model = UnetLevel([
            nn.Conv2d(channels[0], width, 4, 2, 1, bias=bias), level,
            nn.ReLU(), nn.ConvTranspose2d(2 * width, channels[1], 4, 2, 1), nn.Tanh(),
        ], outermost=True)

    def forward(self, x):
        return self.model(x)


class PatchReference(nn.Module):
    """The ``basic`` discriminator."""

    def __init__(self, *, channels=3, width=64, norm="instance"):
        super().__init__()
        bias = needs_bias(norm)
        row = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            row += [nn.Conv2d(before * width, after * width, 4, stride, 1, bias=bias),
                    norm_layer(norm, after * width), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*row, nn.Conv2d(8 * width, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


def trained_like(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights of a size that lets every layer matter, and norms and running statistics that are not the defaults."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                fan_in = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.weight[:, 0].numel() / 4
                module.weight.normal_(0.0, 1.5 / fan_in**0.5, generator=generator)
                if module.bias is not None:
                    module.bias.normal_(0.0, 0.1, generator=generator)
            elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d) and module.affine:
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0.0, 0.2, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0.0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
                module.num_batches_tracked.fill_(1234)
    return network.eval()
