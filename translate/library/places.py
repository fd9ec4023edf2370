"""Which images a model is scored on, from what was said of them to an `EvaluationSet`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from translate.errors import UsageError

if TYPE_CHECKING:
    from translate.config import Data, Domains
    from translate.datasets.evaluation_set import EvaluationSet
    from translate.stores.contract import ObjectStore

DEFAULT_SIZE_PX = 128
LEAST_SIZE_PX = 32


@dataclass(frozen=True, slots=True)
class Places:
    """What was said of the images."""

    pipeline: str | None
    layout: Literal["folders", "side_by_side", "manifest"]
    source: str | None
    target: str | None
    pairs: str | None
    paired: bool

    def list(self, store: ObjectStore, domains: Domains) -> EvaluationSet:
        """The images of the set; ``domains``: what the model reads and makes, which tells its direction.

        Raises `UsageError` for options that don't go together, `ConfigError`, `DataError`.
        """
        from translate.datasets.evaluation_set import PAIR_PARTS, held_out, in_folders, in_pairs

        if self.pipeline is not None:
            if self.layout != "folders" or self.source or self.target or self.pairs or self.paired:
                raise UsageError("--pipeline says where the images are; leave it out, or --layout, --source, --target, "
                                 "--pairs and --paired")
            return held_out(store, *_data_of(self.pipeline, domains))
        if self.layout == "folders":
            if self.pairs is not None:
                raise UsageError("--pairs needs --layout side_by_side or --layout manifest; two folders are --source "
                                 "and --target")
            return in_folders(store, self.source or "testA", self.target or "testB", paired=self.paired)
        if self.pairs is None or self.target is not None:
            raise UsageError(f"--layout {self.layout} needs --pairs, and no --target: that is the other image of each "
                             "pair")
        return in_pairs(store, self.layout, self.pairs, self.source or PAIR_PARTS[self.layout][0])

    def size_px(self, given: int | None) -> int:
        """The working size: what was given, else the crop of the pipeline's training, else 128."""
        from translate.training.resolve import resolve_training

        if given is not None or self.pipeline is None:
            return given or DEFAULT_SIZE_PX
        training = resolve_training(self.pipeline, [], None).training
        assert training is not None
        return max(LEAST_SIZE_PX, training.data.crop_px)


def _data_of(name: str, model: Domains) -> tuple[Data, Literal["a", "b"]]:
    """The training data of a pipeline, and which domain of it a model with these domains reads.

    A model that was made elsewhere may call its domains otherwise: then it goes the pipeline's way.
    """
    from translate.config import load_pipeline
    from translate.training.resolve import resolve_training

    trained = resolve_training(name, [], None)
    assert trained.training is not None
    ways: dict[tuple[str, str], Literal["a", "b"]] = {
        (trained.domains.a, trained.domains.b): "a", (trained.domains.b, trained.domains.a): "b"}
    usual: Literal["a", "b"] = "a" if load_pipeline(name).trained_by is None else "b"
    return trained.training.data, ways.get((model.a, model.b), usual)
