"""From an engine's name to the engine: the same name gives the same pixels on every machine of a kind."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from translate import lookup

if TYPE_CHECKING:
    from translate.engines.contract import Engine
    from translate.models.translator import Translator


def engine_kinds() -> list[str]:
    """Names of the files that make engines, sorted, read from the sources without importing them."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in files if re.search(r"^NAMES\b", path.read_text("utf-8"), re.MULTILINE))


def engine_names() -> list[str]:
    """Every name that there is, whether this machine can have it or not."""
    return [name for kind in engine_kinds() for name in importlib.import_module(f"translate.engines.{kind}").NAMES]


def open_engine(name: str, translator: Translator) -> Engine:
    """The engine of that name around a model, which is left as it is.

    Raises `UnknownNameError`, and `UsageError` if this machine has not what the engine needs.
    """
    known = engine_names()
    if name not in known:
        raise lookup.unknown("engine", name, known)
    kind = name.split("-")[0]
    return cast("Engine", importlib.import_module(f"translate.engines.{kind}").open_engine(name, translator))
