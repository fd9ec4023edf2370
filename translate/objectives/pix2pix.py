"""pix2pix: a translator learns from pairs, a discriminator judges (source, target) together.

Isola et al. 2017 (arXiv:1611.07004). With a multi-scale discriminator, least squares and feature matching it is the
game of pix2pixHD (Wang et al. 2018, arXiv:1711.11585): ``adversarial: least_squares, l1_weight: 0,
feature_matching_weight: 10, perceptual_weight: 10``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from pydantic import Field
from torch.nn import functional as F

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
    l1_weight: float = Field(default=100.0, ge=0)
    """Of ||G(a) - b||_1, eq. 4."""
    l1_cell_px: int = Field(default=1, ge=1)
    """That distance is of means over square cells with this side: more than a pixel holds the tones, where the target's
    detail, such as brush strokes, lies by chance and its average would be fog."""
    feature_matching_weight: float = Field(default=0.0, ge=0)
    """Of the distance between the discriminator's features of true and made pairs (pix2pixHD: 10)."""
    perceptual_weight: float = Field(default=0.0, ge=0)
    """Of the feature distance between the translation and its target (arXiv:1603.08155)."""
    texture_weight: float = Field(default=0.0, ge=0)
    """Of the distance between their textures: where a target's strokes lie is not to be known, how they look is."""
    perceptual_network: str = "mobilenet-v2"
    """For ``perceptual_weight`` and ``texture_weight``."""


class Objective:
    """The game of pix2pix."""

    order: tuple[Player, ...] = ("discriminator", "generator")
    directions: Mapping[str, tuple[str, str]] = {"G_ab": ("a", "b")}

    def __init__(self, config: Config) -> None:
        self.config = config
        looks = config.perceptual_weight > 0 or config.texture_weight > 0
        self._perceptual = Perceptual(config.perceptual_network) if looks else None

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """One generator, one discriminator that sees source and target stacked."""
        return {
            "G_ab": Role("generator", channels_a, channels_b),
            "D_ab": Role("discriminator", channels_a + channels_b),
        }

    def heads(self, networks: Networks) -> dict[str, nn.Module]:
        """None."""
        del networks
        return {}

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """``fake_b``."""
        return {"fake_b": networks["G_ab"](batch["a"])}

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Adversarial, L1, feature matching, perceptual and texture terms, (N,) each."""
        config, discriminator = self.config, networks["D_ab"]
        a, b, fake = diff_augment([batch["a"], batch["b"], images["fake_b"]], config.augment)
        if config.feature_matching_weight > 0:
            look = cast("FeatureDiscriminator", discriminator).scores_and_features
            scores, features = look(torch.cat([a, fake], dim=1))
            with torch.no_grad():
                _, targets = look(torch.cat([a, b], dim=1))
            matched = {"feature_matching": config.feature_matching_weight * _terms.feature_matching(features, targets)}
        else:
            scores, matched = discriminator(torch.cat([a, fake], dim=1)), {}
        terms = {"G_ab": config.adversarial_weight * _terms.adversarial_generator(scores, config.adversarial)} | matched
        if config.l1_weight > 0:
            shown = [F.avg_pool2d(image, config.l1_cell_px) for image in (images["fake_b"], batch["b"])]
            terms["l1"] = config.l1_weight * _terms.l1(*shown)
        if self._perceptual and config.perceptual_weight > 0:
            distance = self._perceptual.distance(images["fake_b"], batch["b"])
            terms["perceptual"] = config.perceptual_weight * distance
        if self._perceptual and config.texture_weight > 0:
            distance = self._perceptual.texture(images["fake_b"], batch["b"])
            terms["texture"] = config.texture_weight * distance
        return terms

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """The discriminator on true and made pairs, (N,).

        Two calls, not one: batch norm must not mix the statistics of real and made images.
        """
        a, b, fake = diff_augment([batch["a"], batch["b"], images["fake_b"]], self.config.augment)
        real, made = torch.cat([a, b], dim=1), torch.cat([a, fake], dim=1)
        return discriminator_terms(self.config, "ab", networks["D_ab"], real, made, together=False)
