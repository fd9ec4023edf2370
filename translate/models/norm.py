"""Instance norm that is quick where channels are kept last in memory.

Ulyanov et al. 2016 (arXiv:1607.08022): every channel of every image is brought to mean 0 and variance 1 by itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from translate.models.moments import moments

if TYPE_CHECKING:
    from torch import Tensor


class InstanceNorm2d(nn.InstanceNorm2d):
    """Torch's, by way of batch norm of one image where torch's own is slow or wrong (both of torch 2.14.1).

    On a CPU it puts channels first, one value at a time: 7 to 30 times as long in bfloat16. And of one image its
    gradient is wrong as soon as the slope that comes back has its channels last. Where no gradient is wanted, the
    statistics are summed up in an order of their own, so that they don't depend on the number of threads, as those of
    batch norm do.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and layout. Raises `ValueError` if H and W are both 1."""
        if x.shape[2] * x.shape[3] == 1:
            return super().forward(x)
        on_cpu = x.device.type == "cpu"
        if torch.is_grad_enabled() and (x.requires_grad or any(each.requires_grad for each in self.parameters())):
            if on_cpu or len(x) == 1:
                return cast("Tensor", _WithGradient.apply(x, self.weight, self.bias, self.eps))
            return super().forward(x)
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        if not (on_cpu and last):
            return super().forward(x)
        return torch.cat([self._same_with_any_threads(image) for image in torch.split(x, 1)])

    def _same_with_any_threads(self, image: Tensor) -> Tensor:
        count, mean, squares = moments(image)
        known = mean.float(), (squares / count).float()
        return F.batch_norm(image, *known, self.weight, self.bias, training=False, eps=self.eps)


class _WithGradient(torch.autograd.Function):
    """Image by image, written where it belongs, with statistics in float32 where x is shorter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:  # noqa: ANN401
        """(N, C, H, W) and (C,) twice or not -> (N, C, H, W)."""
        channels, kind = x.shape[1], torch.promote_types(x.dtype, torch.float32)
        scale = torch.ones(channels, dtype=kind, device=x.device) if weight is None else weight.to(kind)
        shift = torch.zeros(channels, dtype=kind, device=x.device) if bias is None else bias.to(kind)
        y = torch.empty_like(x)
        mean, inverse = (x.new_empty(len(x), channels, dtype=kind) for _ in range(2))
        for i in range(len(x)):
            torch.native_batch_norm(x[i : i + 1], scale, shift, None, None, training=True, momentum=0.0, eps=eps,
                                    out=(y[i : i + 1], mean[i], inverse[i]))
        ctx.save_for_backward(x, None if weight is None else scale, mean, inverse)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """The gradient's parts; differentiable as torch's are."""
        x, weight, mean, inverse = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.needs_input_grad[2]]
        back = partial(torch.ops.aten.native_batch_norm_backward, weight=weight, running_mean=None, running_var=None,
                       train=True, eps=ctx.eps, output_mask=wanted)
        parts = [back(slope[i : i + 1], x[i : i + 1], save_mean=mean[i], save_invstd=inverse[i]) for i in range(len(x))]
        of_x, of_weight, of_bias = zip(*parts, strict=True)
        return (torch.cat(of_x) if wanted[0] else None, torch.stack(of_weight).sum(0) if wanted[1] else None,
                torch.stack(of_bias).sum(0) if wanted[2] else None, None)
