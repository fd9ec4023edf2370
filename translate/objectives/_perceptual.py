"""The distance of images, and of their textures, as a trained feature network sees it; for games that minimise it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from translate.images.tensors import to_channels
from translate.models.features import open_features
from translate.objectives import _terms

if TYPE_CHECKING:
    from torch import Tensor


TEXTURE_LAYERS = 3
"""The finest layers, at a half to an eighth of the resolution: brush strokes and grain, not things."""


class Perceptual:
    """Johnson et al. 2016 (arXiv:1603.08155), section 3.1, with a network that only looks and never learns."""

    def __init__(self, network: str) -> None:
        """Open a network of `translate.models.features`; raises `UnknownNameError` or `ModelError`."""
        self._network = open_features(network)

    def distance(self, made: Tensor, true: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) in [-1, 1] twice -> (N,); gradients reach ``made`` only."""
        self._network.to(made.device)
        with torch.no_grad():
            target = self._network(to_channels(true, 3)).layers
        return _terms.perceptual(self._network(to_channels(made, 3)).layers, target)

    def texture(self, made: Tensor, true: Tensor) -> Tensor:
        """`_terms.texture` of the finest layers; shapes and gradients as in ``distance``."""
        self._network.to(made.device)
        with torch.no_grad():
            target = self._network(to_channels(true, 3)).layers[:TEXTURE_LAYERS]
        return _terms.texture(self._network(to_channels(made, 3)).layers[:TEXTURE_LAYERS], target)
