"""Collects what is measured on the images of one set, metric by metric."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import torch

from translate.metrics import artefacts, content, paired
from translate.metrics.fid import fid_floor, fid_with_spread
from translate.metrics.kid import kid, kid_floor, kid_with_spread

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor

    from translate.metrics.subsets import Estimate
    from translate.models.features import Features

METRICS = ("kid", "fid", "paired", "content", "artefacts")
"""What can be asked for."""
_OF_SETS = {"kid": (kid_with_spread, kid_floor), "fid": (fid_with_spread, fid_floor)}


@dataclass(frozen=True, slots=True)
class Figures:
    """What one set of images scores."""

    distances: dict[str, Estimate]
    """Of the whole set to the target images: ``kid-<judge>``, ``fid-<judge>``."""
    means: dict[str, float]
    """Averages over images: of ``paired`` (output against answer) ``layer_distance``, ``l1``, ``psnr_db``, ``ssim``;
    of ``content`` ``edge_agreement`` and ``distance_to_source`` (input against output, as the judge sees them); of
    ``artefacts`` ``checkerboard_db``, ``droplets_percent``, ``luma_correlation``, and ``variety`` of the whole set."""
    halves: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """The same measures, but ``variety`` and ``fid``, on each of random halves of the images, which are the same
    halves for every translator; empty unless asked for."""


class Seen(NamedTuple):
    """An image, (1, 3, H, W) in [-1, 1], and what the judge sees in it."""

    image: Tensor
    features: Features

    @property
    def unit(self) -> Tensor:
        """The image in [0, 1]."""
        return (self.image + 1) / 2

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(tensor.nbytes for tensor in (self.image, *self.features.layers, self.features.pooled))


class Tally:
    """Collects what is measured on each image of one set."""

    def __init__(self, metrics: Collection[str], judge: str) -> None:
        self._metrics = metrics
        self._judge = judge
        self._pooled: list[Tensor] = []
        self._gists: list[tuple[Tensor, Tensor]] = []
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, source: Seen, output: Seen, answer: Seen | None) -> None:
        """Measure one output."""
        self._pooled.append(output.features.pooled)
        self._gists.append((artefacts.gist(source.image), artefacts.gist(output.image)))
        for name, value in _measured(self._metrics, source, output, answer).items():
            self._values[name].append(float(value))

    def figures(self, wanted: Tensor, halves: int = 0) -> Figures:
        """Averages, and distances to ``wanted`` (M, D), the pooled features of the target images.

        ``halves``: how many random halves are looked at by themselves.
        """
        means = {name: fmean(values) for name, values in self._values.items()}
        if "artefacts" in self._metrics:
            inputs, outputs = zip(*self._gists, strict=True)
            means["variety"] = artefacts.variety(torch.cat(inputs), torch.cat(outputs))
        rows = torch.cat(self._pooled)
        of_sets = distances(self._metrics, self._judge, rows, wanted)
        return Figures(of_sets, means, self._of_halves(rows, wanted, halves))

    def _of_halves(self, rows: Tensor, wanted: Tensor, count: int) -> dict[str, tuple[float, ...]]:
        """Drawn by the images' places and not by what the judge sees in them, so that they can be compared in pairs."""
        generator = torch.Generator().manual_seed(0)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(count):
            chosen, others = (torch.randperm(n, generator=generator)[:n // 2] for n in (len(rows), len(wanted)))
            if "kid" in self._metrics:
                found[f"kid-{self._judge}"].append(kid(rows[chosen], wanted[others]))
            for name, values in self._values.items():
                found[name].append(fmean(values[i] for i in chosen.tolist()))
        return {name: tuple(values) for name, values in found.items()}


def distances(metrics: Collection[str], judge: str, rows: Tensor, wanted: Tensor) -> dict[str, Estimate]:
    """The chosen distances of two sets of pooled features, (N, D) and (M, D), by protocol name."""
    return {f"{name}-{judge}": measure(rows, wanted) for name, (measure, _) in _OF_SETS.items() if name in metrics}


def floors(metrics: Collection[str], judge: str, real: Tensor) -> dict[str, Estimate]:
    """What halves of a real set's pooled features, (N, D), score against each other, by protocol name."""
    return {f"{name}-{judge}": floor(real) for name, (_, floor) in _OF_SETS.items() if name in metrics}


def _measured(metrics: Collection[str], source: Seen, output: Seen, answer: Seen | None) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    if "content" in metrics:
        found |= {
            "edge_agreement": content.edge_agreement(source.unit, output.unit),
            "distance_to_source": paired.layer_distance(output.features, source.features),
        }
    if "artefacts" in metrics:
        found |= {
            "checkerboard_db": artefacts.checkerboard(output.unit),
            "droplets_percent": artefacts.droplets(source.unit, output.unit),
            "luma_correlation": artefacts.luma_correlation(source.image, output.image),
        }
    if "paired" in metrics and answer is not None:
        found |= {
            "layer_distance": paired.layer_distance(output.features, answer.features),
            "l1": paired.l1(output.unit, answer.unit),
            "psnr_db": paired.psnr(output.unit, answer.unit),
            "ssim": paired.ssim(output.unit, answer.unit),
        }
    return found
