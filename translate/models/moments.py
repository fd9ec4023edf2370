"""Mean and variance of what is seen in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHUNK_VALUES = 2**18
"""Values looked at at once: they stay in the processor's cache, and few enough of them sum up precisely in float32."""

Moments = tuple[Tensor, Tensor, Tensor]
"""Count, mean and sum of squared distances from it, of each channel: (), (C,), (C,) float64 on the CPU."""


def moments(x: Tensor) -> Moments:
    """Of a part (1, C, h, w), each channel by itself."""
    return merge(_of_chunk(chunk) for chunk in _chunks(x))


def merge(parts: Iterable[Moments]) -> Moments:
    """The moments of all parts together, in the order given (Chan, Golub and LeVeque 1983, equation 2.1)."""
    counts, means, squares = (torch.stack(each) for each in zip(*parts, strict=True))
    weights = (counts / counts.sum())[:, None]
    mean = (weights * means).sum(dim=0)
    between = (counts[:, None] * (means - mean).square()).sum(dim=0)
    return counts.sum(), mean, squares.sum(dim=0) + between


def _chunks(x: Tensor) -> Iterator[Tensor]:
    """Rows of a part, some at a time: (rows, W, C) in its own type."""
    _, channels, height, width = x.shape
    rows = max(1, _CHUNK_VALUES // (channels * width))
    for first in range(0, height, rows):
        yield x[0, :, first : first + rows].permute(1, 2, 0)


def _of_chunk(chunk: Tensor) -> Moments:
    count = chunk.shape[0] * chunk.shape[1]
    values = chunk.float()
    mean = _sum(values) / count
    squares = _sum((values - mean).square_())
    # First to the CPU: Apple's GPUs have no float64.
    return torch.tensor(float(count), dtype=torch.float64), mean.cpu().double(), squares.cpu().double()


def _sum(values: Tensor) -> Tensor:
    """(rows, W, C) -> (C,). Row by row: in one step, torch would share out the pixels as it has threads, and its last
    bits would depend on their number."""
    return values.sum(dim=1).sum(dim=0)
