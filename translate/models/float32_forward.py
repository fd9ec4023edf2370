"""A network that goes forward as in float32 and back in bfloat16: gradients that agree, nearly as fast.

In bfloat16 a forward pass rounds everything to 8 bits, ReLUs near zero turn on and off, and the gradients of a fresh
network point elsewhere (cosines of 0.91 to 0.98 with float32's). What the way back rounds does no such harm. So here
all is float32 but the convolutions' way back, which is about half of a training step in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode

from translate.models.byte_products import Geometry, SplitWeight, convolve, pays, split_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from translate.models.contract import Encoder

_T = TypeVar("_T")
_Sides = int | tuple[int, int]
"""Vertical and horizontal, or one number for both."""


class Float32Forward(nn.Module):
    """A generator, called under autocast or not, whose convolutions go forward in float32 and back in bfloat16.

    For one batch: what is computed from a weight is kept, and a step would change weights unseen (torch's fused Adam
    does not count its changes). The weights are the network's own. Outputs differ from float32's by some
    1e-4 of their size where convolutions are made of products of bytes (`byte_products`), elsewhere not at all.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._weights: dict[int, _Weight] = {}

    def forward(self, x: Tensor) -> Tensor:
        """As the network: (N, C, H, W) float -> float32."""
        return self._run(cast("Callable[[Tensor], Tensor]", self.network), x)

    def encode(self, x: Tensor) -> list[Tensor]:
        """As the network's own, where it has one."""
        return self._run(cast("Encoder", self.network).encode, x)

    @property
    def feature_channels(self) -> list[int]:
        """As the network's own, where it has any."""
        return cast("Encoder", self.network).feature_channels

    def _run(self, call: Callable[[Tensor], _T], x: Tensor) -> _T:
        device = x.device.type
        with torch.autocast(device, enabled=False), _Convolutions(self._weights):
            return call(x.float())


class _Weight:
    """What is computed from a weight, once for a batch."""

    def __init__(self, weight: Tensor) -> None:
        self.rounded = weight.detach().bfloat16()
        self.split: SplitWeight | None = None


class _Convolutions(TorchFunctionMode):
    """While it is entered, convolutions are these; depthwise ones, which are no work, stay torch's."""

    def __init__(self, weights: dict[int, _Weight]) -> None:
        super().__init__()
        self._weights = weights

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Run the function, or ours in its place."""
        del types
        if func is F.conv2d:
            func = self._conv2d
        elif func is F.conv_transpose2d:
            func = self._conv_transpose2d
        return func(*args, **(kwargs or {}))

    def _conv2d(self, x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _Sides = 1, padding: _Sides = 0,
                dilation: _Sides = 1, groups: int = 1) -> Tensor:
        if groups > 1:
            return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        at = Geometry(_pair(stride), _pair(padding), _pair(dilation))
        return self._apply(x, weight, bias, _Kind(at, transposed=False, extra=(0, 0)))

    def _conv_transpose2d(self, x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _Sides = 1,
                          padding: _Sides = 0, output_padding: _Sides = 0, groups: int = 1,
                          dilation: _Sides = 1) -> Tensor:
        if groups > 1:
            return F.conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)
        at = Geometry(_pair(stride), _pair(padding), _pair(dilation))
        return self._apply(x, weight, bias, _Kind(at, transposed=True, extra=_pair(output_padding)))

    def _apply(self, x: Tensor, weight: Tensor, bias: Tensor | None, kind: _Kind) -> Tensor:
        out: Tensor = _Convolution.apply(x, weight, bias, self._of(weight), kind)
        return out

    def _of(self, weight: Tensor) -> _Weight:
        known = self._weights.get(id(weight))
        if known is None:
            known = _Weight(weight)
            if isinstance(weight, nn.Parameter):  # another tensor's place in memory may soon be a third one's
                self._weights[id(weight)] = known
        return known


class _Kind(NamedTuple):
    at: Geometry
    transposed: bool
    extra: tuple[int, int]
    """Rows and columns that a transposed convolution adds."""


class _Kept(FunctionCtx):
    """What the way back needs."""

    kind: _Kind
    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[Tensor, ...]


class _Convolution(torch.autograd.Function):
    """Forward in float32, by products of bytes where they pay; back in bfloat16."""

    @staticmethod
    def forward(ctx: _Kept, x: Tensor, weight: Tensor, bias: Tensor | None, known: _Weight, kind: _Kind) -> Tensor:
        """(N, I, H, W) float32 -> (N, O, h, w) float32."""
        ctx.save_for_backward(x.bfloat16(), known.rounded)
        ctx.kind = kind
        at = kind.at
        if kind.transposed:
            return F.conv_transpose2d(x, weight, bias, at.stride, at.padding, kind.extra, 1, at.dilation)
        if not pays(x, weight, at):
            return F.conv2d(x, weight, bias, *at)
        if known.split is None:
            known.split = split_weight(weight, at, x.shape)
        return convolve(x, known.split, bias, at)

    @staticmethod
    @once_differentiable
    def backward(ctx: _Kept, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Of x, weight and bias: float32 of sums that were rounded to bfloat16; the bias's were not."""
        x, weight = ctx.saved_tensors
        at = ctx.kind.at
        to_x, to_weight, to_bias, *_ = ctx.needs_input_grad
        found = torch.ops.aten.convolution_backward(
            slope.bfloat16(), x, weight, None, at.stride, at.padding, at.dilation, ctx.kind.transposed,
            ctx.kind.extra, 1, (to_x, to_weight, False))
        of_x, of_weight, _ = (None if each is None else each.float() for each in found)
        return of_x, of_weight, slope.sum((0, 2, 3)) if to_bias else None, None, None
