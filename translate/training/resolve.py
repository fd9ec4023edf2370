"""From a pipeline's name and overrides to the training that will run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from translate.config import Pipeline, load_pipeline, validate
from translate.errors import ConfigError, UsageError
from translate.training.selection import check_best_by
from translate.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence


def resolve_training(name_or_path: str, overrides: Sequence[str], images: int | None) -> Pipeline:
    """Load a pipeline that has a training (or the one that trains it) and apply ``train.key=value`` overrides.

    ``train.`` is short for ``training.``; values are YAML 1.2. Raises `ConfigError` or `UsageError`.
    """
    pipeline = load_pipeline(name_or_path)
    if pipeline.trained_by is not None:
        pipeline = load_pipeline(pipeline.trained_by)
    if pipeline.training is None:
        raise ConfigError(f"pipeline {pipeline.name!r} has no training section; it can only run")
    values = pipeline.model_dump()
    for override in overrides:
        key, equals, text = override.partition("=")
        path = key.split(".")
        if not equals or path[0] not in ("train", "training") or len(path) < 2:
            raise UsageError(f"--set {override!r} is not understood; expected train.<key>=<value>, e.g. train.batch=4")
        _set(values["training"], path[1:], read_yaml(text, f"--set {override!r}"), override)
    if images is not None:
        values["training"]["images"] = images
    resolved = validate(Pipeline, values, f"{pipeline.name} with its overrides")
    assert resolved.training is not None
    check_best_by(resolved.training)
    return resolved


def _set(values: dict[str, Any], path: list[str], value: Any, override: str) -> None:  # noqa: ANN401 - any YAML value
    *parents, last = path
    for parent in parents:
        if not isinstance(values.get(parent), dict):
            raise UsageError(f"--set {override!r}: there is no group {parent!r}; known: {', '.join(sorted(values))}")
        values = values[parent]
    values[last] = value
