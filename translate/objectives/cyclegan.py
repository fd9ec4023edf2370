"""CycleGAN: two translators, two discriminators, cycle consistency (Zhu et al. 2017, arXiv:1703.10593).

Where some images' true translation is known (``answer_a`` and ``answer_b`` of the batch), the translators learn from
it directly as well: the unpaired game goes on for all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from pydantic import Field

from translate.errors import ConfigError
from translate.objectives import _terms
from translate.objectives._adversarial import AdversarialConfig, discriminator_terms, fooling_term
from translate.objectives._diffaugment import diff_augment
from translate.objectives._perceptual import Perceptual
from translate.objectives.contract import Batch, Networks, Player, Role, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


class Config(AdversarialConfig):
    """Weights of the terms; the defaults are the paper's."""

    cycle_weight: float = Field(default=10.0, ge=0)
    """Of ||G_ba(G_ab(a)) - a||_1 and its mirror, eq. 2."""
    cycle_share: float = Field(default=1.0, gt=0, le=1)
    """Share of each batch, rounded up, that goes round the cycle: the way back is half of the game's cost."""
    identity_weight: float = Field(default=5.0, ge=0)
    """Of ||G_ab(b) - b||_1 and its mirror, section 5.2."""
    identity_until: float | None = Field(default=None, gt=0, le=1)
    """Share of the training over which the identity's weight falls linearly to zero; None: it stays."""
    self_weight: float = Field(default=0.0, ge=0)
    """Of ||G_ab(a) - a||_1 and its mirror: the self-regularisation of Shrivastava et al. 2017 (arXiv:1612.07828),
    eq. 4. Where the domains show the same things in the same places: no more change than the discriminator asks for."""
    answer_weight: float = Field(default=10.0, ge=0)
    """Of the distance between G_ab(a) and its answer, in L1 band by band, where the answer is known."""
    answer_texture_weight: float = Field(default=0.0, ge=0)
    """Of the distance between their textures: where an answer's strokes lie is not to be known, how they look is."""
    perceptual_weight: float = Field(default=0.0, ge=0)
    """Of the feature distance between an image and its way round the cycle (arXiv:1805.05308, eq. 1)."""
    perceptual_network: str = "mobilenet-v2"
    """For ``perceptual_weight`` and ``answer_texture_weight``."""


class Objective:
    """The game of CycleGAN."""

    order: tuple[Player, ...] = ("generator", "discriminator")
    directions: Mapping[str, tuple[str, str]] = {"G_ab": ("a", "b"), "G_ba": ("b", "a")}

    def __init__(self, config: Config) -> None:
        self.config = config
        looks = config.perceptual_weight > 0 or config.answer_texture_weight > 0
        self._perceptual = Perceptual(config.perceptual_network) if looks else None

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """Two generators and a discriminator for each domain.

        Raises `ConfigError` for a term that compares both domains where they have different channels.
        """
        for name in ("identity_weight", "self_weight"):
            if channels_a != channels_b and getattr(self.config, name) > 0:
                raise ConfigError(f"cyclegan's {name} compares both domains, so data.channels_a {channels_a} and "
                                  f"data.channels_b {channels_b} must be equal; or set it to 0")
        return {
            "G_ab": Role("generator", channels_a, channels_b),
            "G_ba": Role("generator", channels_b, channels_a),
            "D_a": Role("discriminator", channels_a),
            "D_b": Role("discriminator", channels_b),
        }

    def heads(self, networks: Networks) -> dict[str, nn.Module]:
        """None."""
        del networks
        return {}

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """``fake``, ``cycled`` and, where its term has weight, ``same`` of each domain.

        Identity inputs ride in the same call as the translations: one larger batch is quicker than two small ones,
        and instance norm keeps images apart.
        """
        a, b = batch["a"], batch["b"]
        images: dict[str, Tensor] = {}
        if self._identity_weight(batch) > 0:
            images["fake_b"], images["same_b"] = networks["G_ab"](torch.cat([a, b])).split([len(a), len(b)])
            images["fake_a"], images["same_a"] = networks["G_ba"](torch.cat([b, a])).split([len(b), len(a)])
        else:
            images["fake_b"], images["fake_a"] = networks["G_ab"](a), networks["G_ba"](b)
        if self.config.cycle_weight > 0 or self.config.perceptual_weight > 0:
            share = math.ceil(self.config.cycle_share * len(a))
            images["cycled_a"] = networks["G_ba"](images["fake_b"][:share])
            images["cycled_b"] = networks["G_ab"](images["fake_a"][:share])
        return images

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Terms of both directions: (N,) each, those of the cycle its share of N."""
        config, terms = self.config, Terms()
        for here, there in (("a", "b"), ("b", "a")):
            terms[f"G_{here}{there}"] = fooling_term(config, networks[f"D_{there}"], images[f"fake_{there}"])
            if f"cycled_{here}" in images:
                cycled = images[f"cycled_{here}"]
                began = batch[here][: len(cycled)]
                if config.cycle_weight > 0:
                    terms[f"cycle_{here}"] = config.cycle_weight * _terms.l1(cycled, began)
                if self._perceptual and config.perceptual_weight > 0:
                    seen_apart = self._perceptual.distance(cycled, began)
                    terms[f"perceptual_{here}"] = config.perceptual_weight * seen_apart
            if config.self_weight > 0:
                terms[f"self_{here}"] = config.self_weight * _terms.l1(images[f"fake_{there}"], batch[here])
            if f"same_{here}" in images:
                weight = self._identity_weight(batch)
                terms[f"identity_{here}"] = weight * _terms.l1(images[f"same_{here}"], batch[here])
            if f"answer_{here}" in batch:
                answer, known = batch[f"answer_{here}"], batch[f"known_{here}"]
                if config.answer_weight > 0:
                    error = _terms.laplacian_l1(images[f"fake_{there}"], answer)
                    terms[f"answer_{here}"] = config.answer_weight * known * error
                if self._perceptual and config.answer_texture_weight > 0:
                    error = self._perceptual.texture(images[f"fake_{there}"], answer)
                    terms[f"texture_{here}"] = config.answer_texture_weight * known * error
        return terms

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Each discriminator on its domain's real and made images, (N,) each."""
        terms = Terms()
        for domain in ("a", "b"):
            real, fake = diff_augment([batch[domain], images[f"fake_{domain}"]], self.config.augment)
            terms |= discriminator_terms(self.config, domain, networks[f"D_{domain}"], real, fake, together=True)
        return terms

    def _identity_weight(self, batch: Batch) -> float:
        """The weight at this point of the training."""
        config = self.config
        if config.identity_until is None:
            return config.identity_weight
        return config.identity_weight * max(0.0, 1 - float(batch["way"]) / config.identity_until)
