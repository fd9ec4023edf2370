"""pix2pix: a translator learns from pairs, a discriminator judges (source, target) together.

Isola et al. 2017 (arXiv:1611.07004).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field

from translate.config import Frozen
from translate.objectives import _terms
from translate.objectives.contract import Batch, Networks, Player, Role, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class Config(Frozen):
    """Weights of the terms; the defaults are the paper's."""

    adversarial: _terms.Adversarial = "vanilla"
    adversarial_weight: float = Field(default=1.0, ge=0)
    l1_weight: float = Field(default=100.0, ge=0)
    """Of ||G(a) - b||_1, eq. 4."""


class Objective:
    """The game of pix2pix."""

    order: tuple[Player, ...] = ("discriminator", "generator")
    directions: Mapping[str, tuple[str, str]] = {"G_ab": ("a", "b")}

    def __init__(self, config: Config) -> None:
        self.config = config

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """One generator, one discriminator that sees source and target stacked."""
        return {
            "G_ab": Role("generator", channels_a, channels_b),
            "D_ab": Role("discriminator", channels_a + channels_b),
        }

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """``fake_b``."""
        return {"fake_b": networks["G_ab"](batch["a"])}

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Adversarial and L1 terms, (N,) each."""
        scores = networks["D_ab"](torch.cat([batch["a"], images["fake_b"]], dim=1))
        return {
            "G_ab": self.config.adversarial_weight * _terms.adversarial_generator(scores, self.config.adversarial),
            "l1": self.config.l1_weight * _terms.l1(images["fake_b"], batch["b"]),
        }

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """The discriminator on true and made pairs, (N,).

        Two calls, not one: batch norm must not mix the statistics of real and made images.
        """
        real = networks["D_ab"](torch.cat([batch["a"], batch["b"]], dim=1))
        fake = networks["D_ab"](torch.cat([batch["a"], images["fake_b"]], dim=1))
        return {"D_ab": _terms.adversarial_discriminator(real, fake, self.config.adversarial)}
