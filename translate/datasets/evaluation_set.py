"""Which images an evaluation translates, and which it compares them with, in every layout that training reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from translate.datasets.layout import Lister, refuse
from translate.errors import ConfigError, DataError, UsageError

if TYPE_CHECKING:
    from translate.config import Data
    from translate.datasets.layout import Finding, Images
    from translate.stores.contract import ObjectStore

PAIR_PARTS = {"side_by_side": ("left", "right"), "manifest": ("a", "b")}
"""Layout of pairs -> what the two images of a pair are called: halves of a file, or columns."""


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Images by name, without a pixel; of pairs both have the same names, and the target is the answer."""

    sources: Images
    targets: Images
    pairs: bool
    source: str
    """Where the sources are: a folder, or ``test, left`` and ``test.csv, a``."""
    target: str

    def require(self, images: int, advice: str) -> None:
        """Raise `DataError` if there are fewer images of a side; ``advice`` says what to change."""
        for place, found in ((self.source, self.sources), (self.target, self.targets)):
            if len(found) < images:
                raise DataError(f"{place} holds {len(found)} images; an evaluation needs at least {images}: {advice}")


def in_folders(store: ObjectStore, source: str, target: str, *, paired: bool) -> EvaluationSet:
    """Two folders of a store; ``paired``: they hold the same names.

    Raises `UsageError` if it is the same folder, `DataError` if a half of a pair is missing.
    """
    if source.strip("/") == target.strip("/"):
        raise UsageError(f"source and target are the same folder, {source!r}: each image would be compared with "
                         "itself. Name the folder of the target domain; or, where two images lie side by side in one "
                         "file, the layout side_by_side")
    lister = Lister(store)
    sources, targets = lister.two_folders(source, target, paired=paired)
    refuse(store, _but_empty(lister.findings))
    return EvaluationSet(sources, targets, pairs=paired, source=source, target=target)


def in_pairs(store: ObjectStore, layout: Literal["side_by_side", "manifest"], pairs: str, source: str) -> EvaluationSet:
    """Pairs side by side in the files of a folder, or in the rows of a manifest, ``pairs``.

    ``source``: which part of a pair is translated, see `PAIR_PARTS`; the other one is its answer. Raises `DataError`
    if something is wrong with the listing, `UsageError` for a part that there is not.
    """
    parts = PAIR_PARTS[layout]
    if source not in parts:
        raise UsageError(f"with layout {layout} the source is {parts[0]} or {parts[1]}; got {source!r}")
    lister = Lister(store)
    first, second = lister.pairs(layout, pairs, left="a")
    refuse(store, _but_empty(lister.findings))
    (sources, targets), target = ((first, second), parts[1]) if source == parts[0] else ((second, first), parts[0])
    return EvaluationSet(sources, targets, pairs=True, source=f"{pairs}, {source}", target=f"{pairs}, {target}")


def held_out(store: ObjectStore, data: Data, source: Literal["a", "b"]) -> EvaluationSet:
    """The held-out images of a training set; ``source``: the domain that is translated.

    Raises `ConfigError` if the pipeline names none, `DataError` if something is wrong with the listing.
    """
    if data.layout != "folders":
        if data.test_pairs is None:
            raise ConfigError("an evaluation needs held-out images; name them in training.data.test_pairs")
        first, second = PAIR_PARTS[data.layout]
        first_domain = data.left if data.layout == "side_by_side" else "a"
        return in_pairs(store, data.layout, data.test_pairs, first if source == first_domain else second)
    if data.test_a is None or data.test_b is None:
        raise ConfigError("an evaluation needs held-out images; name their folders in training.data.test_a and "
                          "test_b")
    here, there = (data.test_a, data.test_b) if source == "a" else (data.test_b, data.test_a)
    return in_folders(store, here, there, paired=data.kind == "paired")


def _but_empty(findings: list[Finding]) -> list[Finding]:
    """Without the empty places: `EvaluationSet.require` says how many images there have to be."""
    return [finding for finding in findings if finding.code != "folder.empty"]
