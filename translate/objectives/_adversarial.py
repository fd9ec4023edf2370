"""What all games with a discriminator share: its options, and what it minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from translate.config import Frozen
from translate.objectives import _terms
from translate.objectives._diffaugment import Augmentation, diff_augment

if TYPE_CHECKING:
    from torch import Tensor, nn

    from translate.objectives.contract import Terms


class AdversarialConfig(Frozen):
    """Options of a game's adversarial part."""

    adversarial: _terms.Adversarial = "least_squares"
    adversarial_weight: float = Field(default=1.0, ge=0)
    gradient_penalty_weight: float = Field(default=10.0, ge=0)
    """Lambda of WGAN-GP, read with ``adversarial: wgan_gp`` only. Give the discriminator no batch norm then."""
    r1_weight: float = Field(default=0.0, ge=0)
    """Gamma of the zero-centred gradient penalty at real images (the paper's: 10); costs a pass there and back."""
    augment: Annotated[tuple[Augmentation, ...], Field(strict=False)] = ()
    """DiffAugment of what discriminators see: ``colour``, ``translation``, ``cutout``."""


def discriminator_terms(
    config: AdversarialConfig, domain: str, discriminator: nn.Module, real: Tensor, fake: Tensor, *, together: bool
) -> Terms:
    """``D_<domain>`` and the penalties that the options ask for, (N,) each; ``real`` and ``fake`` as they are judged.

    ``together``: in one call, which is quicker; not where batch norm would mix the statistics of both. The penalties
    are halved like the errors, so that weights mean what they mean in the papers.
    """
    if together:
        scores = [score.split([len(real), len(fake)]) for score in discriminator(torch.cat([real, fake]))]
        on_real, on_fake = [score[0] for score in scores], [score[1] for score in scores]
    else:
        on_real, on_fake = discriminator(real), discriminator(fake)
    terms = {f"D_{domain}": _terms.adversarial_discriminator(on_real, on_fake, config.adversarial)}
    if config.adversarial == "wgan_gp" and config.gradient_penalty_weight > 0:
        penalty = _terms.gradient_penalty(discriminator, real, fake)
        terms[f"gradient_penalty_{domain}"] = 0.5 * config.gradient_penalty_weight * penalty
    if config.r1_weight > 0:
        terms[f"r1_{domain}"] = 0.5 * config.r1_weight * _terms.r1(discriminator, real)
    return terms


def fooling_term(config: AdversarialConfig, discriminator: nn.Module, fake: Tensor) -> Tensor:
    """What the generator minimises so that ``fake`` scores as real, weighted: (N,)."""
    (shown,) = diff_augment([fake], config.augment)
    return config.adversarial_weight * _terms.adversarial_generator(discriminator(shown), config.adversarial)
