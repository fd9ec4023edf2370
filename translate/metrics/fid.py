"""Frechet distance between two sets of images, by the features of a named network.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule" (arXiv:1706.08500), equation 6: the distance of
the two normal distributions with the sets' means and covariances,

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

With centred rows A, C_a = A^T A / (N - 1), and B likewise, the eigenvalues of C_a C_b are those of the symmetric
G G^T with G = A B^T / sqrt((N - 1)(M - 1)): the trace of the root is the sum of G's singular values. So no general
matrix root is taken (it turns complex where a covariance is singular), and small sets are cheap. All in float64.

FID is biased: two samples of one distribution score above 0, the more so the fewer they are (Chong and Forsyth
2020, arXiv:1911.07023), and far above with fewer images than features. The result is called after the network,
``fid-<network>``; figures of different networks, or of different numbers of images, must not be compared.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from translate.metrics.contract import Distance
from translate.metrics.subsets import Estimate, between_halves, with_spread

if TYPE_CHECKING:
    from torch import Tensor

SUBSETS = 10
"""Random subsets that the spread is taken over."""


def fid(a: Tensor, b: Tensor) -> float:
    """Squared Frechet distance of two sets of features, (N, D) and (M, D), at least two rows each; 0 is equal."""
    a, b = a.double(), b.double()
    shift = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    root_a, root_b = _root(a), _root(b)
    shared = torch.linalg.svdvals(root_a @ root_b.T).sum()
    # Rounding can leave equal sets a hair below zero.
    return max(0.0, float(shift + root_a.square().sum() + root_b.square().sum() - 2 * shared))


def fid_with_spread(a: Tensor, b: Tensor) -> Estimate:
    """FID of all images, with its spread over subsets of half of each set ((N, D), (M, D), four rows at least)."""
    return with_spread(fid, a, b, subsets=SUBSETS)


def fid_floor(real: Tensor) -> Estimate:
    """What random halves of one real set, (N, D), score against each other, mean and deviation.

    This is bias: it falls with more images, and a FID of few images can't come below it, however good they are.
    """
    values = between_halves(fid, real, subsets=SUBSETS)
    return Estimate(float(values.mean()), float(values.std()))


def too_few(images: int, targets: int, features: int) -> str | None:
    """A sentence where one of two sets has no more images than features; None where both have more."""
    if min(images, targets) > features:
        return None
    return (f"FID is strongly biased here: {images} images against {targets}, for {features} features. It holds only "
            "beside figures of the same images, such as doing nothing; trust KID, or use more images.")


def _root(rows: Tensor) -> Tensor:
    """R, (at most D, D), with R^T R the unbiased covariance of the rows, (N, D)."""
    centred: Tensor = (rows - rows.mean(dim=0)) / math.sqrt(len(rows) - 1)
    if len(rows) <= rows.shape[1]:
        return centred
    root: Tensor = torch.linalg.qr(centred, mode="r").R
    return root


MEASURES = (
    Distance(name="fid", title="FID", note="lower is nearer to real images, beside figures of as many images",
             better="lower", against="target", judge=True, on_request=True, row=lambda image: image.judged.pooled,
             value=fid, estimate=fid_with_spread, floor=fid_floor, remark=too_few),
)
