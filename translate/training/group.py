"""The workers that train one set of networks together: each on its part of every batch, all with the same weights.

The loop itself averages gradients instead of leaving it to DistributedDataParallel, whose hooks sit in ``forward``:
games also call ``encode`` and ``scores_and_features``, and take gradients of gradients.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import torch
from torch import distributed

from translate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Group(Protocol):
    """Workers numbered from 0. Every method is called by all of them, in the same order; the first one writes."""

    @property
    def rank(self) -> int:
        """Number of this worker."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    @property
    def here(self) -> int:
        """How many of them share this machine and its memory."""
        ...

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the workers into each tensor: the same shapes everywhere, any float dtype.

        What is not finite on one worker is not finite on any afterwards.
        """
        ...

    def gather(self, images: Tensor) -> Tensor:
        """(n, ...) of each worker -> (n * size, ...) in the order of their numbers, without a graph."""
        ...

    def agree(self, value: float) -> float:
        """The first worker's value, for decisions that all must take alike."""
        ...


class Alone:
    """The group of one."""

    rank = 0
    size = 1
    here = 1

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Nothing to do."""

    def gather(self, images: Tensor) -> Tensor:
        """The same images."""
        return images

    def agree(self, value: float) -> float:
        """The same value."""
        return value


class Distributed:
    """The processes of torch.distributed's default group, which somebody has set up."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))  # torchrun sets it, and Ray Train

    def average(self, tensors: Sequence[Tensor]) -> None:
        """As the contract says; one message for all tensors."""
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def gather(self, images: Tensor) -> Tensor:
        """As the contract says."""
        own = images.contiguous()
        parts = [torch.empty_like(own) for _ in range(self.size)]
        distributed.all_gather(parts, own)
        return torch.cat(parts)

    def agree(self, value: float) -> float:
        """As the contract says."""
        kept = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(kept, src=0)
        return float(kept)


def check_divides(batch: int, workers: int) -> None:
    """Raise `ConfigError` if workers would not have equally many images of each batch."""
    if batch % workers:
        raise ConfigError(f"training.batch {batch} can't be divided among {workers} workers; it is the batch of all "
                          "together and must be a multiple of their number")


def part_of_batch(batch: int, group: Group) -> slice:
    """Where this worker's images stand in each batch."""
    check_divides(batch, group.size)
    images = batch // group.size
    return slice(group.rank * images, (group.rank + 1) * images)
