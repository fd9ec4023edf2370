"""Whether the shipped models are whole, and whether the registry can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.doctor.finding import Finding
from translate.errors import ModelError, StoreError
from translate.registry import ModelRegistry
from translate.shipped import shipped_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


def shipped(folder: str | None = None) -> Finding:
    """Load every shipped model, its digest checked; ``folder`` is where they are."""
    models = ModelRegistry(folder or str(shipped_folder("models")))
    names = [f"{each.name}@{each.version}" for each in models.list() if each.origin != "shipped"]
    damaged = []
    for name in names:
        try:
            models.load(name)
        except ModelError as error:
            damaged.append(f"{name}: {error}")
    if damaged:
        return Finding("problem", "models", "; ".join(damaged), "install translate-images again")
    if not names:
        return Finding("warning", "models", "none are shipped with this installation", "install translate-images again")
    return Finding("ok", "models", f"{', '.join(names)}: digests verified")


def registry(url: str | None) -> Iterator[Finding]:
    """The user's own registry: a place that is not there yet is an empty one."""
    models = ModelRegistry(url)
    try:
        found = [each for each in models.list() if each.origin != "shipped"]
    except StoreError as error:
        yield Finding("problem", "registry", str(error), "check --registry or TRANSLATE_REGISTRY")
        return
    yield Finding("ok", "registry", f"{models.url}: {len(found)} published")
    for each in found:
        if each.problem:
            yield Finding("warning", "registry", f"{each.name}@{each.version}: {each.problem}",
                          "publish it again, or remove its folder")
