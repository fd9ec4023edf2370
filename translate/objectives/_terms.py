"""Formulas of the games, each as its paper gives it; pure, unreduced, in float32."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Adversarial = Literal["vanilla", "least_squares", "hinge"]


def adversarial_generator(scores: list[Tensor], kind: Adversarial) -> Tensor:
    """What a generator minimises so that its images score as real: (N,), the mean over positions and scales.

    vanilla: BCE against 1, the non-saturating loss of Goodfellow et al. 2014 (arXiv:1406.2661), section 3;
    least_squares: (D - 1)^2, Mao et al. 2017 (arXiv:1611.04076), eq. 9 without the factor 1/2;
    hinge: -D, Lim and Ye 2017 (arXiv:1705.02894).
    """
    return _mean([_real(score.float(), kind, generator=True) for score in scores])


def adversarial_discriminator(real: list[Tensor], fake: list[Tensor], kind: Adversarial) -> Tensor:
    """What a discriminator minimises: (N,), half the sum of its errors on real and on made images.

    The half slows the discriminator as in pix2pix (arXiv:1611.07004, section 3.3).
    """
    on_real = _mean([_real(score.float(), kind, generator=False) for score in real])
    on_fake = _mean([_fake(score.float(), kind) for score in fake])
    return 0.5 * (on_real + on_fake)


def _real(score: Tensor, kind: Adversarial, *, generator: bool) -> Tensor:
    if kind == "vanilla":
        return F.softplus(-score)
    if kind == "least_squares":
        return (score - 1) ** 2
    return -score if generator else F.relu(1 - score)


def _fake(score: Tensor, kind: Adversarial) -> Tensor:
    if kind == "vanilla":
        return F.softplus(score)
    if kind == "least_squares":
        return score**2
    return F.relu(1 + score)


def _mean(maps: list[Tensor]) -> Tensor:
    return torch.stack([scores.flatten(1).mean(1) for scores in maps]).mean(0)


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of each image: (N, C, H, W) twice -> (N,)."""
    return (x.float() - y.float()).abs().flatten(1).mean(1)
