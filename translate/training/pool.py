"""The history of made images that discriminators are shown (Shrivastava et al. 2017, arXiv:1612.07828, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor


class HistoryPool:
    """Up to ``size`` earlier images; each new one is, with even odds, swapped for one of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, new: Tensor, generator: torch.Generator) -> Tensor:
        """(N, C, H, W) detached -> the same shape, every image new or from the history."""
        if self.size == 0:
            return new
        shown = []
        for image in new:
            if len(self.images) < self.size:
                self.images.append(image.clone())
                shown.append(image)
            elif torch.rand((), generator=generator) < 0.5:
                place = int(torch.randint(self.size, (), generator=generator))
                shown.append(self.images[place].to(image.device))  # from a checkpoint they come to the CPU
                self.images[place] = image.clone()
            else:
                shown.append(image)
        return torch.stack(shown)
