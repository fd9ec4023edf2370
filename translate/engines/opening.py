"""From an engine's name to the engine: the same name gives the same pixels on every machine of a kind."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from translate import lookup

if TYPE_CHECKING:
    from types import ModuleType

    from translate.engines.contract import Declared, Engine
    from translate.models.translator import Translator


_CALIBRATED = re.compile(r"(?<=-int8)-[0-9a-f]{16}$")
"""What an engine's name says of its calibrated weights, e.g. ``openvino-int8-0123456789abcdef``."""


def engine_kinds() -> list[str]:
    """Names of the files that make engines, sorted, read from the sources without importing them."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in files if re.search(r"^ENGINES\b", path.read_text("utf-8"), re.MULTILINE))


def engine_names() -> list[str]:
    """Every name that there is, whether this machine can have it or not."""
    return [name for kind in engine_kinds() for name in _file(kind).ENGINES]


def open_engine(name: str, translator: Translator, calibrated: bytes | None = None) -> Engine:
    """The engine of that name around a model, which is left as it is.

    ``calibrated``: weights, for the engine that names them. Raises `UnknownNameError`, `UsageError` if this machine
    has not what the engine needs, `ModelError` if the weights are not those that are named.
    """
    return cast("Engine", _file(refuse_unknown(name)).open_engine(name, translator, calibrated))


def declared(name: str) -> Declared:
    """What the file of an engine says of it. Raises `UnknownNameError`."""
    return cast("Declared", _file(refuse_unknown(name)).ENGINES[_CALIBRATED.sub("", name)])


def refuse_unknown(name: str) -> str:
    """The same name; raises `UnknownNameError` if no engine has it."""
    known = engine_names()
    if _CALIBRATED.sub("", name) not in known:
        raise lookup.unknown("engine", name, known)
    return name


def device_of(name: str) -> str:
    """``cpu``, ``cuda`` or ``mps``: what an engine of that name computes on. Raises `UnknownNameError`."""
    return declared(name).device


def is_calibrated(name: str) -> bool:
    """Whether a name says which calibrated weights the engine has."""
    return _CALIBRATED.search(name) is not None


def _file(name: str) -> ModuleType:
    """The file that makes the engine of that name."""
    return importlib.import_module(f"translate.engines.{name.split('-')[0]}")
