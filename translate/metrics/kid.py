"""Kernel inception distance between two sets of images, by the features of a named network.

Bińkowski et al. 2018, "Demystifying MMD GANs" (arXiv:1801.01401): the squared maximum mean discrepancy with the
kernel ``k(x, y) = (x . y / d + 1)^3``, estimated without bias. Unlike FID it can be trusted for small sets; it is 0
in expectation for two samples of one distribution, and may come out slightly negative. The result is called after
the network, ``kid-<network>``: figures of different networks must not be compared.

All sums are in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.metrics.contract import Distance
from translate.metrics.subsets import Estimate, between_halves, with_spread

if TYPE_CHECKING:
    from torch import Tensor

SUBSETS = 50
"""Random subsets that the spread is taken over."""


def kid(a: Tensor, b: Tensor) -> float:
    """Unbiased KID of two sets of features, (N, D) and (M, D), at least two rows each; 0 is no difference."""
    a, b = a.double(), b.double()
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    return float(_mean_off_diagonal(aa) + _mean_off_diagonal(bb) - 2 * ab.mean())


def kid_with_spread(a: Tensor, b: Tensor) -> Estimate:
    """KID of all images, with its spread over subsets of half of each set ((N, D), (M, D), four rows at least)."""
    return with_spread(kid, a, b, subsets=SUBSETS)


def kid_floor(real: Tensor) -> Estimate:
    """What random halves of one real set, (N, D), score against each other: below that, all is noise.

    ``value`` is the root mean square over the splits (the mean is 0 by construction), ``spread`` its deviation.
    """
    values = between_halves(kid, real, subsets=SUBSETS)
    return Estimate(float(values.square().mean().sqrt()), float(values.abs().std()))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _mean_off_diagonal(k: Tensor) -> Tensor:
    n = k.shape[0]
    return (k.sum() - k.diagonal().sum()) / (n * (n - 1))


MEASURES = (
    Distance(name="kid", title="KID", note="lower is nearer to real images", better="lower", against="target",
             judge=True, margin=0.01, decisive=True, row=lambda image: image.judged.pooled, value=kid,
             estimate=kid_with_spread, floor=kid_floor),
)
