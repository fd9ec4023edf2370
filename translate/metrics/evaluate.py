"""Scores a translator on test images: beside doing nothing, and beside what real images score among themselves.

Protocol. Images are cut to their centre square and resized to ``size_px`` (Lanczos); the translator runs at that
size, in float32, one image at a time. Pixel measures are taken at that size on [0, 1]. The feature network sees
images resized to 128 px (bicubic, antialiased, clamped). Averages are over images. So nothing depends on a batch
size or on the order of the images.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.datasets.folder import centre_square, image_keys, read_pixels
from translate.errors import DataError, ModelError
from translate.images.resize import resize
from translate.images.tensors import to_channels, to_tensor
from translate.metrics import artefacts, content, paired
from translate.metrics.kid import Estimate, kid_floor, kid_with_spread
from translate.models.features import Features, open_features
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from translate.models.features import FeatureNetwork
    from translate.models.translator import Translator
    from translate.stores.contract import ObjectStore

JUDGE = "efficientnet-lite0"
"""The feature network of KID and distances; never one that is trained against."""
JUDGE_PX = 128
LEAST_IMAGES = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """What one set of images scores."""

    kid: Estimate
    """Against the target images, by the pooled features of `JUDGE`."""
    means: dict[str, float]
    """Averages over images: ``edge_agreement``, ``distance_to_source`` (input against output), ``checkerboard_db``;
    for pairs ``layer_distance``, ``l1``, ``psnr_db``, ``ssim`` (output against answer) too."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a translator and what to hold them against."""

    model: str
    judge: str
    size_px: int
    source_images: int
    target_images: int
    output: Figures
    nothing: Figures
    """The untouched input taken for the output."""
    floor: Estimate
    """KID of random halves of the target images against each other."""
    real_kid: float | None
    """KID of other real images against the target images, where such were given."""


def evaluate(
    translator: Translator,
    store: ObjectStore,
    *,
    source: str,
    target: str,
    pairs: bool,
    size_px: int = 128,
    real: str | None = None,
    report: Listener = silent,
) -> Evaluation:
    """Translate every image of folder ``source`` and compare with folder ``target``.

    ``pairs``: the folders hold the same names, and the target is the answer. ``real``: a folder with other real
    images of the target's domain. Raises `DataError` for too few, unreadable or partnerless images, `ModelError`
    for an output that is not finite.
    """
    sources, targets = image_keys(store, source), image_keys(store, target)
    others = image_keys(store, real) if real is not None else {}
    _check(sources, targets, source, target, pairs=pairs)
    total = len(sources) + (0 if pairs else len(targets)) + len(others)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        report(Progress(done, total, "images"))

    judge = open_features(JUDGE)
    outputs, nothing = _Tally(), _Tally()
    wanted_rows: list[Tensor] = []
    for name, key in sources.items():
        image = _read(store, key, size_px)
        seen = _Seen(image, _look(judge, image))
        output = _translated(translator, image, key)
        answer = None
        if pairs:
            image = _read(store, targets[name], size_px)
            answer = _Seen(image, _look(judge, image))
            wanted_rows.append(answer.features.pooled)
        outputs.add(seen, _Seen(output, _look(judge, output)), answer)
        nothing.add(seen, seen, answer)
        step()
    other_rows: list[Tensor] = []
    for keys, rows in (({} if pairs else targets, wanted_rows), (others, other_rows)):
        for key in keys.values():
            rows.append(_look(judge, _read(store, key, size_px)).pooled)
            step()
    wanted = torch.cat(wanted_rows)
    return Evaluation(
        model=translator.facts.reference, judge=JUDGE, size_px=size_px,
        source_images=len(sources), target_images=len(targets),
        output=outputs.figures(wanted), nothing=nothing.figures(wanted), floor=kid_floor(wanted),
        real_kid=kid_with_spread(torch.cat(other_rows), wanted).value if other_rows else None,
    )


class _Seen(NamedTuple):
    """An image, (1, 3, H, W) in [-1, 1], and what the judge sees in it."""

    image: Tensor
    features: Features

    @property
    def unit(self) -> Tensor:
        """The image in [0, 1]."""
        return (self.image + 1) / 2


class _Tally:
    """Collects what is measured on each image of one set."""

    def __init__(self) -> None:
        self._pooled: list[Tensor] = []
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, source: _Seen, output: _Seen, answer: _Seen | None) -> None:
        """Measure one output."""
        self._pooled.append(output.features.pooled)
        found = {
            "edge_agreement": content.edge_agreement(source.unit, output.unit),
            "distance_to_source": paired.layer_distance(output.features, source.features),
            "checkerboard_db": artefacts.checkerboard(output.unit),
        }
        if answer is not None:
            found |= {
                "layer_distance": paired.layer_distance(output.features, answer.features),
                "l1": paired.l1(output.unit, answer.unit),
                "psnr_db": paired.psnr(output.unit, answer.unit),
                "ssim": paired.ssim(output.unit, answer.unit),
            }
        for name, value in found.items():
            self._values[name].append(float(value))

    def figures(self, wanted: Tensor) -> Figures:
        """Averages, and the KID against ``wanted`` (M, D), the pooled features of the target images."""
        means = {name: fmean(values) for name, values in self._values.items()}
        return Figures(kid_with_spread(torch.cat(self._pooled), wanted), means)


def _read(store: ObjectStore, key: str, size_px: int) -> Tensor:
    square = centre_square(read_pixels(store, key))
    return to_tensor(resize(square, size_px, size_px, how="lanczos")).unsqueeze(0)


def _translated(translator: Translator, image: Tensor, key: str) -> Tensor:
    output = to_channels(translator(to_channels(image, translator.in_channels)), 3)
    if not bool(output.isfinite().all()):
        raise ModelError(f"{translator.facts.reference} gives values that are not finite for {key}; "
                         "its weights are damaged or its training diverged")
    return output


@torch.no_grad()
def _look(judge: FeatureNetwork, image: Tensor) -> Features:
    seen = F.interpolate(image, (JUDGE_PX, JUDGE_PX), mode="bicubic", align_corners=False, antialias=True)
    features: Features = judge(seen.clamp(-1, 1))
    return features


def _check(sources: dict[str, str], targets: dict[str, str], source: str, target: str, *, pairs: bool) -> None:
    for folder, keys in ((source, sources), (target, targets)):
        if len(keys) < LEAST_IMAGES:
            raise DataError(f"{folder} holds {len(keys)} images; an evaluation needs at least {LEAST_IMAGES}")
    lonely = sorted(sources.keys() ^ targets.keys())
    if pairs and lonely:
        raise DataError(f"{len(lonely)} images of {source} and {target} have no partner of the same name: "
                        f"{', '.join(lonely[:5])}; add the missing halves or leave --paired out")
