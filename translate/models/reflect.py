"""Padding by reflection or repetition in the number format that the image has.

Torch's autocast on a CPU makes float32 of an image before it pads it so (torch 2.14.1), though padding copies numbers
and computes none. That was a seventh of a training step in bfloat16 (resnet_9blocks, 128 px). What goes back is
rounded where border pixels are added up.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


def pad(x: Tensor, sides: Sequence[int], mode: Literal["reflect", "replicate"]) -> Tensor:
    """(N, C, H, W) with ``sides`` (left, right, top, bottom) pixels more, as `torch.nn.functional.pad`; same dtype."""
    with in_own_format(x.device.type):
        return F.pad(x, tuple(sides), mode=mode)


def in_own_format(device: str) -> AbstractContextManager[None]:
    """A context in which torch's autocast is off, if it was on."""
    cast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)  # meta tensors have none
    return torch.autocast(device, enabled=False) if cast else contextlib.nullcontext()


class ReflectedConv2d(nn.Conv2d):
    """Convolution of stride 1 that keeps height and width: torch's with ``padding_mode="reflect"``."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, padding_mode="reflect",
                         bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as torch names it
        """(N, in_channels, H, W) -> (N, out_channels, H, W); H and W more than half the kernel."""
        reach = self.kernel_size[0] // 2
        return F.conv2d(pad(input, (reach,) * 4, "reflect"), self.weight, self.bias)
