"""The small evaluation while training, and which snapshot is best by it."""

from __future__ import annotations

import copy
import math
from statistics import fmean
from typing import TYPE_CHECKING

from translate.config import Domains
from translate.datasets.evaluation_set import held_out
from translate.errors import ConfigError
from translate.metrics.contract import measures, short
from translate.metrics.evaluate import LEAST_IMAGES, Evaluator
from translate.models.translator import ModelFacts, Translator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from translate.config import Training
    from translate.metrics.evaluate import Evaluation
    from translate.models.contract import ArchitectureConfig
    from translate.stores.contract import ObjectStore
    from translate.training.state import State


class Selection:
    """Evaluates the averaged generators of every direction on held-out images; remembers the best snapshot."""

    def __init__(
        self,
        training: Training,
        data: ObjectStore,
        directions: Mapping[str, tuple[str, str]],
        architecture: str,
        configs: Mapping[str, ArchitectureConfig],
    ) -> None:
        """Look at the held-out images once. Without ``training.evaluation`` nothing is read.

        Raises `ConfigError` if the pipeline names no held-out images, `DataError` if there are too few.
        """
        self._config = training.evaluation
        self._directions = directions
        self._architecture, self._configs = architecture, configs
        self._evaluators: dict[str, Evaluator] = {}
        if self._config is None:
            return
        check_best_by(training)
        self._best_by = self._config.best_by
        for role, (source, _) in directions.items():
            images = held_out(data, training.data, "a" if source == "a" else "b")
            images.require(LEAST_IMAGES, "add held-out images, or leave training.evaluation out")
            self._evaluators[role] = Evaluator(data, images, size_px=training.data.crop_px,
                                               limit=self._config.images)

    def evaluate(self, generators: Mapping[str, nn.Module]) -> dict[str, Evaluation]:
        """The figures of every direction's generator, by role; none without ``training.evaluation``."""
        return {role: evaluator.evaluate(Translator(copy.deepcopy(generators[role]).cpu(), self._facts(role)))
                for role, evaluator in self._evaluators.items()}

    def consider(self, state: State) -> None:
        """Evaluate, note the figures in ``state.evaluations``, and keep a snapshot if it is the best so far."""
        assert self._config is not None
        scores = {role: _scores(found) for role, found in self.evaluate(state.averages).items()}
        figure = fmean(score[self._best_by] for score in scores.values())
        measure = f"{self._best_by} on {self._config.images} held-out images or fewer"
        to_beat = state.best.figure if state.best is not None and state.best.measure == measure else math.inf
        best = figure < to_beat
        state.evaluations.append({"images": state.seen, "seconds": round(state.seconds, 1), "best": best,
                                  "scores": {role: {name: round(value, 5) for name, value in score.items()}
                                             for role, score in scores.items()}})
        if best:
            state.best = state.snapshot(figure, measure)

    def words(self, state: State) -> str:
        """Why the best snapshot is the best."""
        assert state.best is not None
        return f"lowest {state.best.measure}, {state.best.figure:.4f}, of {len(state.evaluations)} snapshots"

    def _facts(self, role: str) -> ModelFacts:
        source, target = self._directions[role]
        return ModelFacts(name="snapshot", architecture=self._architecture,
                          config=self._configs[role].model_dump(mode="json"), domains=Domains(a=source, b=target))


def check_best_by(training: Training) -> None:
    """Raise `ConfigError` if the measure of ``training.evaluation.best_by`` can't choose a snapshot."""
    if training.evaluation is None:
        return
    pairs = training.data.kind == "paired"
    known = [each.name for each in measures() if each.decisive and (pairs or each.against != "answer")]
    if training.evaluation.best_by not in known:
        raise ConfigError(f"training.evaluation.best_by is {training.evaluation.best_by!r}, by which no snapshot of a "
                          f"training {'with' if pairs else 'without'} pairs can be chosen; give {' or '.join(known)}")


def _scores(found: Evaluation) -> dict[str, float]:
    """Every figure by measure; JSON has no infinity and no nan, so those are left out."""
    values = {short(name): estimate.value for name, estimate in found.output.distances.items()} | found.output.means
    return {name: value for name, value in values.items() if math.isfinite(value)}
