"""How much a distance between two sets of features varies over random subsets of them.

Rows are sorted before subsets are drawn: nothing depends on the order of the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and how much it varies."""

    value: float
    spread: float
    """Standard deviation over random subsets of half the images."""


def with_spread(distance: Callable[[Tensor, Tensor], float], a: Tensor, b: Tensor, *, subsets: int,
                seed: int = 0) -> Estimate:
    """The distance of all rows of (N, D) and (M, D), and its spread over ``subsets`` pairs of halves."""
    a, b = _sorted(a), _sorted(b)
    generator = torch.Generator().manual_seed(seed)
    values = [distance(_halves(a, generator)[0], _halves(b, generator)[0]) for _ in range(subsets)]
    return Estimate(distance(a, b), float(torch.tensor(values).std()))


def between_halves(distance: Callable[[Tensor, Tensor], float], real: Tensor, *, subsets: int,
                   seed: int = 0) -> Tensor:
    """What ``subsets`` random pairs of disjoint halves of one set, (N, D), score against each other: (subsets,)."""
    real = _sorted(real)
    generator = torch.Generator().manual_seed(seed)
    return torch.tensor([distance(*_halves(real, generator)) for _ in range(subsets)])


def _sorted(rows: Tensor) -> Tensor:
    order = sorted(range(len(rows)), key=lambda i: rows[i].tolist())
    return rows[order]


def _halves(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    order = torch.randperm(len(rows), generator=generator)
    middle = len(rows) // 2
    return rows[order[:middle]], rows[order[middle:]]
