"""Collects what is measured on the images of one set."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

import torch

from translate.metrics.contract import Distance, OfImages, OfSets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from translate.metrics.contract import Against, Measure, Seen
    from translate.metrics.subsets import Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """What one set of images scores; the measures are those of `translate.metrics.contract.measures`."""

    distances: dict[str, Estimate]
    """Of the whole set to the target images, by name and judge: ``kid-<judge>``, ``fid-<judge>``."""
    means: dict[str, float]
    """All other measures: averages over images, and figures of the whole set."""
    halves: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Those measures that have a margin, on each of random halves of the images, which are the same halves for every
    translator; empty unless asked for."""


class Rows:
    """What measures of whole sets keep of the images of one set."""

    def __init__(self, measures: Iterable[Measure], *against: Against) -> None:
        """For those of the measures that are ``against`` one of these."""
        kept = {each.row for each in measures if isinstance(each, OfSets) and each.against in against}
        self._rows: dict[Callable[[Seen], Tensor], list[Tensor]] = {row: [] for row in kept}
        self._count = 0

    def __len__(self) -> int:
        """How many images were looked at."""
        return self._count

    def add(self, image: Seen) -> None:
        """Look at one image."""
        self._count += 1
        for row, rows in self._rows.items():
            rows.append(row(image))

    def of(self, measure: OfSets) -> Tensor:
        """(N, ...): what the measure keeps of all of them."""
        return torch.cat(self._rows[measure.row])


class Tally:
    """Collects what is measured on each image of one set."""

    def __init__(self, measures: Sequence[Measure], judge: str | None) -> None:
        """``judge``: name of the feature network; None where none of the measures needs one."""
        self._measures = measures
        self._judge = judge
        self._inputs = Rows(measures, "source")
        self._outputs = Rows(measures, "source", "target")
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, source: Seen, output: Seen, answer: Seen | None) -> None:
        """Measure one output; ``answer`` may be None where no measure needs one."""
        self._inputs.add(source)
        self._outputs.add(output)
        for measure in self._measures:
            if isinstance(measure, OfImages):
                other = {"source": source, "answer": answer, "itself": output}[measure.against]
                assert other is not None, f"{measure.name} needs answers"
                self._values[measure.name].append(float(measure.value(output, other)))

    def figures(self, targets: Rows, halves: int = 0) -> Figures:
        """Averages, and figures of the whole set, against the target images where they are measured so.

        ``halves``: how many random halves are looked at by themselves.
        """
        means: dict[str, float] = {}
        for measure in self._measures:
            if isinstance(measure, OfImages):
                means[measure.name] = fmean(self._values[measure.name])
            elif isinstance(measure, OfSets) and not isinstance(measure, Distance):
                means[measure.name] = measure.value(self._outputs.of(measure), self._others(measure, targets))
        of_sets = {named(each, self._judge): each.estimate(self._outputs.of(each), targets.of(each))
                   for each in self._measures if isinstance(each, Distance)}
        return Figures(of_sets, means, self._of_halves(targets, halves) if halves else {})

    def _others(self, measure: OfSets, targets: Rows) -> Tensor:
        return (self._inputs if measure.against == "source" else targets).of(measure)

    def _of_halves(self, targets: Rows, count: int) -> dict[str, tuple[float, ...]]:
        """Drawn by the images' places and not by what the judge sees in them, so that they can be compared in pairs."""
        measured = [each for each in self._measures if each.margin is not None]
        of_sets = [(each, self._outputs.of(each), self._others(each, targets))
                   for each in measured if isinstance(each, OfSets)]
        images = len(self._outputs)
        generator = torch.Generator().manual_seed(0)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(count):
            chosen, of_targets = (torch.randperm(n, generator=generator)[:n // 2] for n in (images, len(targets)))
            for each, rows, others in of_sets:
                other = others[chosen if each.against == "source" else of_targets]
                found[named(each, self._judge)].append(each.value(rows[chosen], other))
            for measure in measured:
                if isinstance(measure, OfImages):
                    values = self._values[measure.name]
                    found[measure.name].append(fmean(values[i] for i in chosen.tolist()))
        return {name: tuple(values) for name, values in found.items()}


def named(measure: Measure, judge: str | None) -> str:
    """The name of a figure in records and tables: a distance has its judge's name."""
    return f"{measure.name}-{judge}" if isinstance(measure, Distance) else measure.name
