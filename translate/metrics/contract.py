"""What a metric says of itself: everything that tables, pages, the gate and the command line need to know.

A file ``translate/metrics/<name>.py`` with ``MEASURES`` is a metric, found by its file name. Nothing else lists metrics
or measures.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from translate.metrics.subsets import Estimate
    from translate.models.features import Features

Against = Literal["answer", "target", "source", "itself"]
"""What an output is compared with: its own answer (which needs pairs), the images of the target domain, its own input,
or nothing else."""


class Seen(NamedTuple):
    """An image, (1, 3, H, W) float in [-1, 1], and what the judge sees in it."""

    image: Tensor
    features: Features | None
    """None where no measure needs a judge."""

    @property
    def unit(self) -> Tensor:
        """The image in [0, 1]."""
        return (self.image + 1) / 2

    @property
    def judged(self) -> Features:
        """The features, for measures that need them."""
        assert self.features is not None, "a measure that needs the judge has judge=True"
        return self.features

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        features = () if self.features is None else (*self.features.layers, self.features.pooled)
        return sum(tensor.nbytes for tensor in (self.image, *features))


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure, and how to read it."""

    name: str
    """Lower case with underscores; a unit comes last (``psnr_db``)."""
    title: str
    """For people, as it stands inside a sentence."""
    note: str
    """A few words on how to read it."""
    better: Literal["lower", "higher", "near 1"]
    against: Against
    judge: bool = False
    """Whether it looks at what a feature network sees."""
    margin: float | None = None
    """By how much a retrained model may be worse in it, in its own unit; None: the gate does not look at it."""
    good_enough: float = float("-inf")
    """Of a measure that is better lower: below this, lower is no better."""
    decisive: bool = False
    """Whether it alone tells how good a translation is: the best snapshot of a training can be chosen by it, and a
    first model has to beat doing nothing in one such measure. Those are better lower."""
    on_request: bool = False
    """Whether it is taken only where its metric is asked for by name."""

    def badness(self, value: float) -> float:
        """The value turned and moved so that lower is better, in the same unit."""
        if self.better == "near 1":
            return abs(value - 1)
        return -value if self.better == "higher" else max(value, self.good_enough)


@dataclass(frozen=True, kw_only=True)
class OfImages(Measure):
    """A measure of each image by itself; the figure is the average over the images."""

    value: Callable[[Seen, Seen], Tensor]
    """(the output, what it is compared with) -> (1,). Of ``itself`` both are the output."""


@dataclass(frozen=True, kw_only=True)
class OfSets(Measure):
    """A measure of all outputs at once, against all inputs (``source``) or all target images (``target``)."""

    row: Callable[[Seen], Tensor]
    """What is kept of each image: (1, ...) float."""
    value: Callable[[Tensor, Tensor], float]
    """(rows of the outputs, (N, ...), rows of the others, (M, ...)) -> the figure; inputs in the outputs' order."""


@dataclass(frozen=True, kw_only=True)
class Distance(OfSets):
    """A distance of two sets by what a judge sees; it is named after the judge, and has a spread and a floor."""

    estimate: Callable[[Tensor, Tensor], Estimate]
    """The same with its spread over random halves."""
    floor: Callable[[Tensor], Estimate]
    """What halves of one real set, (M, ...), score against each other."""
    remark: Callable[[int, int, int], str | None] = lambda *_: None
    """(outputs, target images, features) -> a sentence where the figure can't be trusted."""


def metrics() -> list[str]:
    """Names of the metrics, sorted, read from the sources without importing them."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in files if re.search(r"^MEASURES\b", path.read_text("utf-8"), re.MULTILINE))


def measures_of(metric: str) -> tuple[Measure, ...]:
    """What a metric, one of `metrics`, measures."""
    found: tuple[Measure, ...] = importlib.import_module(f"translate.metrics.{metric}").MEASURES
    return found


@cache
def measures() -> tuple[Measure, ...]:
    """Every measure of every metric, the distances of sets first."""
    found = [measure for metric in metrics() for measure in measures_of(metric)]
    return tuple(sorted(found, key=lambda measure: not isinstance(measure, Distance)))


def find(name: str) -> Measure | None:
    """The measure of a figure, by its name in records, where a distance has its judge's name (``kid-mobilenet-v2``).

    None for one that there is no more.
    """
    return next((measure for measure in measures() if measure.name == short(name)), None)


def short(name: str) -> str:
    """A figure's name without the judge: ``kid-mobilenet-v2`` -> ``kid``."""
    return name.partition("-")[0]


def gated() -> tuple[Measure, ...]:
    """The measures that the gate of retraining looks at: those with a margin."""
    return tuple(measure for measure in measures() if measure.margin is not None)
