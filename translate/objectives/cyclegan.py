"""CycleGAN: two translators, two discriminators, cycle consistency (Zhu et al. 2017, arXiv:1703.10593).

Where some images' true translation is known (``answer_a`` and ``answer_b`` of the batch), the translators learn from
it directly as well: the unpaired game goes on for all of them.
"""

from __future__ import annotations

import math
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

    adversarial: _terms.Adversarial = "least_squares"
    adversarial_weight: float = Field(default=1.0, ge=0)
    cycle_weight: float = Field(default=10.0, ge=0)
    """Of ||G_ba(G_ab(a)) - a||_1 and its mirror, eq. 2."""
    cycle_share: float = Field(default=1.0, gt=0, le=1)
    """Share of each batch, rounded up, that goes round the cycle: the way back is half of the game's cost."""
    identity_weight: float = Field(default=5.0, ge=0)
    """Of ||G_ab(b) - b||_1 and its mirror, section 5.2."""
    answer_weight: float = Field(default=10.0, ge=0)
    """Of ||G_ab(a) - answer||_1 where the answer is known."""


class Objective:
    """The game of CycleGAN."""

    order: tuple[Player, ...] = ("generator", "discriminator")
    directions: Mapping[str, tuple[str, str]] = {"G_ab": ("a", "b"), "G_ba": ("b", "a")}

    def __init__(self, config: Config) -> None:
        self.config = config

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """Two generators and a discriminator for each domain."""
        return {
            "G_ab": Role("generator", channels_a, channels_b),
            "G_ba": Role("generator", channels_b, channels_a),
            "D_a": Role("discriminator", channels_a),
            "D_b": Role("discriminator", channels_b),
        }

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """``fake``, ``cycled`` and, where its term has weight, ``same`` of each domain.

        Identity inputs ride in the same call as the translations: one larger batch is quicker than two small ones,
        and instance norm keeps images apart.
        """
        a, b = batch["a"], batch["b"]
        images: dict[str, Tensor] = {}
        if self.config.identity_weight > 0:
            images["fake_b"], images["same_b"] = networks["G_ab"](torch.cat([a, b])).split([len(a), len(b)])
            images["fake_a"], images["same_a"] = networks["G_ba"](torch.cat([b, a])).split([len(b), len(a)])
        else:
            images["fake_b"], images["fake_a"] = networks["G_ab"](a), networks["G_ba"](b)
        if self.config.cycle_weight > 0:
            share = math.ceil(self.config.cycle_share * len(a))
            images["cycled_a"] = networks["G_ba"](images["fake_b"][:share])
            images["cycled_b"] = networks["G_ab"](images["fake_a"][:share])
        return images

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Adversarial, cycle, identity and answer terms of both directions: (N,) each, the cycle's its share of N."""
        config, terms = self.config, Terms()
        for here, there in (("a", "b"), ("b", "a")):
            scores = networks[f"D_{there}"](images[f"fake_{there}"])
            fooled = _terms.adversarial_generator(scores, config.adversarial)
            terms[f"G_{here}{there}"] = config.adversarial_weight * fooled
            if config.cycle_weight > 0:
                cycled = images[f"cycled_{here}"]
                terms[f"cycle_{here}"] = config.cycle_weight * _terms.l1(cycled, batch[here][: len(cycled)])
            if config.identity_weight > 0:
                terms[f"identity_{here}"] = config.identity_weight * _terms.l1(images[f"same_{here}"], batch[here])
            if config.answer_weight > 0 and f"answer_{here}" in batch:
                known = batch[f"known_{here}"]
                error = _terms.l1(images[f"fake_{there}"], batch[f"answer_{here}"])
                terms[f"answer_{here}"] = config.answer_weight * known * error
        return terms

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Each discriminator on its domain's real and made images, (N,) each."""
        terms = Terms()
        for domain in ("a", "b"):
            real, fake = batch[domain], images[f"fake_{domain}"]
            scores = [score.split([len(real), len(fake)]) for score in networks[f"D_{domain}"](torch.cat([real, fake]))]
            terms[f"D_{domain}"] = _terms.adversarial_discriminator(
                [score[0] for score in scores], [score[1] for score in scores], self.config.adversarial
            )
        return terms
