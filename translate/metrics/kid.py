"""Kernel inception distance between two sets of images, by the features of a named network.

Bińkowski et al. 2018, "Demystifying MMD GANs" (arXiv:1801.01401): the squared maximum mean discrepancy with the
kernel ``k(x, y) = (x . y / d + 1)^3``, estimated without bias. Unlike FID it can be trusted for small sets; it is 0
in expectation for two samples of one distribution, and may come out slightly negative. The result is called after
the network, ``kid-<network>``: figures of different networks must not be compared.

All sums are in float64, and rows are sorted before subsets are drawn: nothing depends on the order of the images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SUBSETS = 50
"""Random subsets that the spread is taken over."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and how much it varies."""

    value: float
    spread: float
    """Standard deviation over random subsets of half the images."""


def kid(a: Tensor, b: Tensor) -> float:
    """Unbiased KID of two sets of features, (N, D) and (M, D), at least two rows each; 0 is no difference."""
    a, b = a.double(), b.double()
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    return float(_mean_off_diagonal(aa) + _mean_off_diagonal(bb) - 2 * ab.mean())


def kid_with_spread(a: Tensor, b: Tensor, *, seed: int = 0) -> Estimate:
    """KID of all images, with its spread over subsets of half of each set ((N, D), (M, D), four rows at least)."""
    a, b = _sorted(a), _sorted(b)
    generator = torch.Generator().manual_seed(seed)
    values = [kid(_half(a, generator)[0], _half(b, generator)[0]) for _ in range(SUBSETS)]
    return Estimate(kid(a, b), float(torch.tensor(values).std()))


def kid_floor(real: Tensor, *, seed: int = 0) -> Estimate:
    """What random halves of one real set, (N, D), score against each other: below that, all is noise.

    ``value`` is the root mean square over the splits (the mean is 0 by construction), ``spread`` its deviation.
    """
    real = _sorted(real)
    generator = torch.Generator().manual_seed(seed)
    values = torch.tensor([kid(*_half(real, generator)) for _ in range(SUBSETS)])
    return Estimate(float(values.square().mean().sqrt()), float(values.abs().std()))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _mean_off_diagonal(k: Tensor) -> Tensor:
    n = k.shape[0]
    return (k.sum() - k.diagonal().sum()) / (n * (n - 1))


def _sorted(rows: Tensor) -> Tensor:
    order = sorted(range(len(rows)), key=lambda i: rows[i].tolist())
    return rows[order]


def _half(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    order = torch.randperm(len(rows), generator=generator)
    middle = len(rows) // 2
    return rows[order[:middle]], rows[order[middle:]]
