"""Convolutions of float32 made of convolutions of bytes, for processors that multiply bytes much faster than floats.

Both sides are rounded to 16-bit integers, x = a (256 x1 + x0) and w = b (256 w1 + w0) with every part a signed byte,
and three of the four products are summed up in float32: a b (65536 x1 w1 + 256 (x1 w0 + x0 w1)). What is left out,
x0 w0, and what is rounded away are some 1e-4 of the result, where bfloat16 loses 3e-3. It is the splitting of Ozaki et
al. 2012 (Numerical Algorithms 59, section 3) with parts of eight bits. One a for all of x: a value far above the others
costs them precision, so this is for layers between norms.

On an Intel Xeon with AMX, 256 to 256 channels, 3 x 3, eight images of 34 x 34: float32 26 ms, so 7, bfloat16 3.4.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import functional as F

_ZERO = 128
"""A byte of the input is stored as itself plus this: the products take unsigned ones there."""
_LARGEST = 127 * 256 + 127
"""What the largest value of an input, or of a weight's channel, becomes."""
_TINY = torch.finfo(torch.float32).tiny
_MOST_SUMMED = 2**31 // (255 * 128)
"""Products of an output that a 32-bit integer holds the sum of, whatever they are."""
_LEAST_CHANNELS = 64
"""Of the input: what is multiplied at once."""
_LEAST_PRODUCTS = 512
"""Products that each input value enters, from which on they are worth the splitting; measured."""
_LANES = 16
"""Outputs that a product of float32 makes at once; fewer take as long."""
_LEAST_PIXELS = 4096
"""Of outputs in a batch, from which on they are worth splitting the weights; measured."""
_AGREEMENT = 1e-3
"""Share of the result that it may differ by from float32's before it is not used at all."""


class Geometry(NamedTuple):
    """How a kernel moves over an image, as `torch.nn.functional.conv2d` names it: vertical, horizontal."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


class SplitWeight(NamedTuple):
    """A convolution's weight in two signed bytes, laid out as the processor takes them."""

    high: Tensor
    low: Tensor
    scale: Tensor
    """b of each output channel: (O,) float32."""
    surplus: Tensor
    """What inputs that are stored plus `_ZERO` add to each output, as a multiple of a: (O,) float32."""


def pays(x: Tensor, weight: Tensor, at: Geometry) -> bool:
    """Whether to compute ``conv2d(x, weight)`` so: it is quicker by measurement and right by comparison here."""
    if x.device.type != "cpu" or isinstance(x, FakeTensor):
        return False
    outputs, inputs, height, width = weight.shape
    steps = at.stride[0] * at.stride[1]
    products = max(outputs, _LANES) * height * width // steps
    pixels = x.shape[0] * x.shape[2] * x.shape[3] // steps
    enough = inputs >= _LEAST_CHANNELS and products >= _LEAST_PRODUCTS and pixels >= _LEAST_PIXELS
    return enough and inputs * height * width <= _MOST_SUMMED and _available()


def split_weight(weight: Tensor, at: Geometry, shape: torch.Size) -> SplitWeight:
    """(O, I, h, w) float32 in parts, for inputs of about ``shape`` (N, I, H, W)."""
    axes = (1, 2, 3)
    scale = torch.maximum(weight.amax(axes, keepdim=True), -weight.amin(axes, keepdim=True))
    scale.div_(_LARGEST).clamp_min_(_TINY)
    rounded = torch.div(weight, scale).round_()
    whole = rounded.to(torch.int16)
    low = whole.to(torch.int8)  # the last byte, as a signed one
    high = whole.add_(_ZERO).bitwise_right_shift_(8).to(torch.int8)
    scale = scale.flatten()
    surplus = scale * (256 * _ZERO) * (rounded.sum(axes) + high.sum(axes, dtype=torch.float32))
    unit = torch.ones(1)  # scales are given with the products; here they would only be checked, one by one
    high, low = (torch.ops.onednn.qconv_prepack(part, unit, 1.0, 0, at.stride, (0, 0), at.dilation, 1, shape)
                 for part in (high, low))
    return SplitWeight(high, low, scale, surplus)


def convolve(x: Tensor, weight: SplitWeight, bias: Tensor | None, at: Geometry) -> Tensor:
    """(N, I, H, W) float32, best with channels last -> (N, O, h, w) float32, channels last; no gradient.

    An input that is not finite gives outputs that are not.
    """
    if any(at.padding):
        (height, width) = at.padding
        x = F.pad(x, (width, width, height, height))
    scale = max(float(torch.maximum(x.amax(), -x.amin())) / _LARGEST, _TINY)  # NaN stays, being first
    whole = torch.add(torch.tensor(257 * _ZERO + 0.5), x, alpha=1 / scale).to(torch.int32)  # rounds: none is negative
    low, high = whole.to(torch.uint8), whole.bitwise_right_shift_(8).to(torch.uint8)
    # Nothing is left to the products' own zero points: they would triple the time that laying out weights takes.
    start = weight.surplus * -scale if bias is None else torch.sub(bias, weight.surplus, alpha=scale)
    zeros = torch.zeros(len(weight.scale), dtype=torch.int)
    where = at.stride, (0, 0), at.dilation
    product, add_product = torch.ops.onednn.qconv2d_pointwise.default, torch.ops.onednn.qconv2d_pointwise.binary
    out: Tensor = product(low, scale * 256, 0, weight.high, weight.scale, zeros, start, *where, 1,
                          1.0, 0, torch.float32, "none", [], "")
    for part, by, factor in ((high, weight.low, 256), (high, weight.high, 65536)):
        out = add_product(part, scale * factor, 0, by, weight.scale, zeros, out, None, *where, 1,
                          1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], "")
    return out


@cache
def _available() -> bool:
    """Whether this torch on this processor has these products and they come out right; torch does not document them."""
    if not torch.cpu._is_amx_tile_supported():  # noqa: SLF001 - has no public name
        return False
    random = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(size, generator=random) for size in ((1, 64, 9, 8), (32, 64, 3, 3), (32,)))
    at = Geometry((1, 2), (1, 1), (1, 1))
    try:
        found = convolve(x, split_weight(weight, at, x.shape), bias, at)
    except (AttributeError, RuntimeError, TypeError):  # another torch has other names, kinds or arguments
        return False
    wanted = F.conv2d(x, weight, bias, *at)
    return bool(torch.linalg.vector_norm(found - wanted) < _AGREEMENT * torch.linalg.vector_norm(wanted))
