"""CUT and FastCUT: one translator, held to its input by patchwise contrast (Park et al. 2020, arXiv:2007.15651).

What the translator makes of a place must be recognisable, among the image's other places, as made of that place.
FastCUT is ``nce_weight: 10, nce_identity_weight: 0, flip_equivariance: true``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.models.contract import Encoder
from translate.objectives import _terms
from translate.objectives._adversarial import AdversarialConfig, discriminator_terms, fooling_term
from translate.objectives._diffaugment import diff_augment
from translate.objectives.contract import Batch, Networks, Player, Role, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Config(AdversarialConfig):
    """Weights of the terms; the defaults are CUT's, section 4.1 and appendix C.2."""

    nce_weight: float = Field(default=0.5, gt=0)
    """Of the contrast between ``a`` and its translation."""
    nce_identity_weight: float = Field(default=0.5, ge=0)
    """Of the contrast between ``b`` and what the translator makes of it: it should leave it alone."""
    temperature: float = Field(default=0.07, gt=0)
    patches: int = Field(default=256, ge=2)
    """Places of each layer that are compared."""
    flip_equivariance: bool = False
    """Translate every other batch, by chance, mirrored: the contrast must hold through the mirror."""


class Heads(nn.Module):
    """For each layer of features a small network that makes them comparable: two linear layers of 256, to unit length.

    Section 3.2; weights as the reference draws them (Xavier, gain 0.02).
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(), nn.Linear(width, width)) for count in channels
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight, 0.02)
                nn.init.zeros_(module.bias)

    def forward(self, features: list[Tensor], places: list[Tensor]) -> list[Tensor]:
        """(N, C_i, H_i, W_i) at P_i places (indices into H_i * W_i) -> (N, P_i, 256) float32 unit vectors."""
        return [
            F.normalize(layer(feature.flatten(2)[:, :, place].transpose(1, 2)).float(), dim=2)
            for layer, feature, place in zip(self.layers, features, places, strict=True)
        ]


class Objective:
    """The game of CUT."""

    order: tuple[Player, ...] = ("discriminator", "generator")
    directions: Mapping[str, tuple[str, str]] = {"G_ab": ("a", "b")}

    def __init__(self, config: Config) -> None:
        self.config = config

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """One generator, one discriminator; the generator's own encoder looks at both domains."""
        if channels_a != channels_b:
            raise ConfigError(f"cut compares both domains by one encoder, so data.channels_a {channels_a} and "
                              f"data.channels_b {channels_b} must be equal")
        return {"G_ab": Role("generator", channels_a, channels_b), "D_b": Role("discriminator", channels_b)}

    def heads(self, networks: Networks) -> dict[str, nn.Module]:
        """``F_ab``, as wide as the generator's features; raises `ConfigError` if it shows none."""
        generator = networks["G_ab"]
        if not isinstance(generator, Encoder):
            raise ConfigError("cut looks at features of the generator, and this architecture shows none; "
                              "set training.generator.architecture to resnet")
        return {"F_ab": Heads(generator.feature_channels)}

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """``fake_b``, ``same_b`` where its term has weight, and ``mirrored``: whether ``fake_b`` is of mirrored a."""
        a, b = batch["a"], batch["b"]
        mirrored = torch.zeros((), dtype=torch.bool)
        if self.config.flip_equivariance:
            mirrored = torch.rand(()) < 0.5
            a = a.flip(3) if mirrored else a
        if self.config.nce_identity_weight == 0:
            return {"fake_b": networks["G_ab"](a), "mirrored": mirrored}
        fake, same = networks["G_ab"](torch.cat([a, b])).split([len(a), len(b)])
        return {"fake_b": fake, "same_b": same, "mirrored": mirrored}

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """Adversarial and contrastive terms, (N,) each; eq. 5."""
        config = self.config
        terms = {
            "G_ab": fooling_term(config, networks["D_b"], images["fake_b"]),
            "nce_a": config.nce_weight
            * self._contrast(networks, images["fake_b"], batch["a"], mirrored=bool(images["mirrored"])),
        }
        if config.nce_identity_weight > 0:
            terms["nce_b"] = config.nce_identity_weight * self._contrast(
                networks, images["same_b"], batch["b"], mirrored=False
            )
        return terms

    def _contrast(self, networks: Networks, made: Tensor, source: Tensor, *, mirrored: bool) -> Tensor:
        """PatchNCE of each image, (N,): the mean over layers. The source's side is a target, without gradient."""
        generator, heads = networks["G_ab"], networks["F_ab"]
        assert isinstance(generator, Encoder)
        queries = generator.encode(made)
        if mirrored:
            queries = [feature.flip(3) for feature in queries]
        places = [torch.randperm(feature[0, 0].numel(), device=feature.device)[: self.config.patches]
                  for feature in queries]
        with torch.no_grad():
            keys = heads(generator.encode(source), places)
        layers = [_terms.patch_nce(query, key, self.config.temperature)
                  for query, key in zip(heads(queries, places), keys, strict=True)]
        return torch.stack(layers).mean(0)

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """The discriminator on real and made images, (N,)."""
        real, fake = diff_augment([batch["b"], images["fake_b"]], self.config.augment)
        return discriminator_terms(self.config, "b", networks["D_b"], real, fake, together=True)
