"""pix2pix: a translator learns from pairs, a discriminator judges (source, target) together.

Isola et al. 2017 (arXiv:1611.07004). With a multi-scale discriminator, least squares and feature matching it is the
game of pix2pixHD (Wang et al. 2018, arXiv:1711.11585): ``adversarial: least_squares, l1_weight: 0,
feature_matching_weight: 10, perceptual_weight: 10``. With ``judge: images`` the discriminator sees no source and tells
translations from the images of ``b``, which need not belong to the pairs, as in SRGAN (arXiv:1609.04802).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import torch
from pydantic import Field

from translate.errors import ConfigError
from translate.objectives import _terms
from translate.objectives._adversarial import AdversarialConfig, discriminator_terms
from translate.objectives._diffaugment import diff_augment
from translate.objectives._perceptual import Perceptual
from translate.objectives.contract import Batch, Networks, Player, Role, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from translate.models.contract import FeatureDiscriminator


class Config(AdversarialConfig):
    """Weights of the terms; the defaults are the paper's."""

    adversarial: _terms.Adversarial = "vanilla"
    judge: Literal["pairs", "images"] = "pairs"
    """What the discriminator tells apart. ``pairs``: source with answer from source with translation. ``images``: the
    images of ``b`` from translations; the set is unpaired then, and the answers are those of ``answers_a``."""
    l1_weight: float = Field(default=100.0, ge=0)
    """Of ||G(a) - b||_1, eq. 4."""
    feature_matching_weight: float = Field(default=0.0, ge=0)
    """Of the distance between the discriminator's features of true and made pairs (pix2pixHD: 10)."""
    perceptual_weight: float = Field(default=0.0, ge=0)
    """Of the feature distance between the translation and its target (arXiv:1603.08155)."""
    texture_weight: float = Field(default=0.0, ge=0)
    """Of how differently their textures look to that network, wherever in a window they stand: without it leaves and
    stone, which no network can place exactly, are smoothed (EnhanceNet, arXiv:1612.07919, section 4.2.3)."""
    perceptual_network: str = "mobilenet-v2"


class Objective:
    """The game of pix2pix."""

    order: tuple[Player, ...] = ("discriminator", "generator")
    directions: Mapping[str, tuple[str, str]] = {"G_ab": ("a", "b")}

    def __init__(self, config: Config) -> None:
        self.config = config
        looks = config.perceptual_weight > 0 or config.texture_weight > 0
        self._perceptual = Perceptual(config.perceptual_network) if looks else None

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """One generator, one discriminator that sees source and target stacked, or the target alone."""
        seen = channels_a + channels_b if self.config.judge == "pairs" else channels_b
        return {"G_ab": Role("generator", channels_a, channels_b), "D_ab": Role("discriminator", seen)}

    def heads(self, networks: Networks) -> dict[str, nn.Module]:
        """None."""
        del networks
        return {}

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """``fake_b``."""
        return {"fake_b": networks["G_ab"](batch["a"])}

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Adversarial, feature matching, L1, perceptual and texture terms, (N,) each."""
        config, discriminator = self.config, networks["D_ab"]
        answer, known = self._answers(batch)
        a, b, fake = diff_augment([batch["a"], answer, images["fake_b"]], config.augment)
        if config.feature_matching_weight > 0:
            look = cast("FeatureDiscriminator", discriminator).scores_and_features
            scores, features = look(self._judged(a, fake))
            with torch.no_grad():
                _, targets = look(self._judged(a, b))
            matched = {"feature_matching": config.feature_matching_weight * _terms.feature_matching(features, targets)}
        else:
            scores, matched = discriminator(self._judged(a, fake)), {}
        terms = {"G_ab": config.adversarial_weight * _terms.adversarial_generator(scores, config.adversarial)}
        if config.l1_weight > 0:
            matched["l1"] = config.l1_weight * _terms.l1(images["fake_b"], answer)
        if self._perceptual and config.perceptual_weight > 0:
            matched["perceptual"] = config.perceptual_weight * self._perceptual.distance(images["fake_b"], answer)
        if self._perceptual and config.texture_weight > 0:
            matched["texture"] = config.texture_weight * self._perceptual.texture(images["fake_b"], answer)
        return terms | {name: term * known for name, term in matched.items()}

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """The discriminator on true and made pairs, or images, (N,).

        Two calls, not one: batch norm must not mix the statistics of real and made images.
        """
        a, b, fake = diff_augment([batch["a"], batch["b"], images["fake_b"]], self.config.augment)
        real, made = self._judged(a, b), self._judged(a, fake)
        return discriminator_terms(self.config, "ab", networks["D_ab"], real, made, together=False)

    def _judged(self, a: Tensor, b: Tensor) -> Tensor:
        return b if self.config.judge == "images" else torch.cat([a, b], dim=1)

    def _answers(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """What translations should be, and whether that is known: (N,) in {0, 1}, or 1."""
        if self.config.judge == "pairs":
            return batch["b"], 1.0
        if "answer_a" not in batch:
            raise ConfigError("training.objective: judge: images takes its answers from data.answers_a; "
                              "set data.kind: unpaired and data.answers_a to their folder")
        return batch["answer_a"], batch["known_a"]
