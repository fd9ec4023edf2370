"""Two published versions side by side: what they scored, and what they were made with otherwise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from translate.config import canonical_json
from translate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from translate.registry.evaluations import EvaluationRecord
    from translate.registry.registry import ModelRegistry

PIPELINE_FILE = "pipeline.json"
"""Beside a model: the whole configuration that it was trained with."""
_FACTS = {"architecture", "config", "domains", "weights_dtype", "provenance"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, the first and the second."""

    models: tuple[str, str]
    """``name@version``."""
    evaluations: tuple[EvaluationRecord, EvaluationRecord] | None
    """None if one of them has none."""
    not_comparable: tuple[str, ...]
    """Why the figures say nothing about each other, a sentence each; empty if they do, or if there are none."""
    settings: dict[str, tuple[str, str]]
    """What differs in facts, provenance and pipeline: dotted key -> JSON of both values, empty where there is none."""


def compare(
    registry: ModelRegistry,
    first: str,
    second: str,
    evaluations: tuple[EvaluationRecord, EvaluationRecord] | None = None,
) -> Comparison:
    """Look two versions up; ``evaluations`` are theirs if they were just made, else the newest stored ones that go
    together. Raises as `ModelRegistry.load` does, and `ModelError` for a pipeline that is damaged.
    """
    # Each reference is resolved once: a pointer may move meanwhile.
    first, second = (registry.document(each).reference for each in (first, second))
    pair = evaluations or _newest(registry.evaluations(first), registry.evaluations(second))
    mine, theirs = (dict(_flat("", _settings(registry, each))) for each in (first, second))
    keys = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
    return Comparison((first, second), pair, tuple(pair[0].differences(pair[1])) if pair else (),
                      {key: (mine.get(key, ""), theirs.get(key, "")) for key in sorted(keys)})


def _newest(
    first: Sequence[EvaluationRecord], second: Sequence[EvaluationRecord]
) -> tuple[EvaluationRecord, EvaluationRecord] | None:
    """The newest evaluations of two versions that can be compared; if none can, the newest; None if one has none."""
    pairs = [(one, other) for one in first for other in second]
    return max(pairs, key=lambda pair: (not pair[0].differences(pair[1]), pair[0].when, pair[1].when), default=None)


def _settings(registry: ModelRegistry, reference: str) -> dict[str, Any]:
    document = registry.document(reference)
    facts = document.model_dump(mode="json", include=_FACTS)
    if PIPELINE_FILE in document.files:
        try:
            facts["pipeline"] = json.loads(registry.file(reference, PIPELINE_FILE))
        except ValueError as error:
            raise ModelError(f"{PIPELINE_FILE} of {reference} is damaged: {error}; publish or copy the model again"
                             ) from error
    return facts


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, inner)
    else:
        yield prefix, value if isinstance(value, str) else canonical_json(value)
