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


def open_engine(name: str, translator: Translator, calibrated: bytes | None = None) -> Engine:
    """The engine of that name around a model, which is left as it is.

    ``calibrated``: weights, for the engine that names them. Raises `UnknownNameError`, `UsageError` if this machine
    has not what the engine needs, `ModelError` if the weights are not those that are named.
    """
    kind = refuse_unknown(name).split("-")[0]
    module = importlib.import_module(f"translate.engines.{kind}")
    return cast("Engine", module.open_engine(name, translator, calibrated))


def refuse_unknown(name: str) -> str:
    """The same name; raises `UnknownNameError` if no engine has it."""
    known = engine_names()
    if name not in known and not is_calibrated(name):
        raise lookup.unknown("engine", name, known)
    return name


def device_of(name: str) -> str:
    """``cpu``, ``cuda`` or ``mps``: what an engine of that name computes on."""
    return name.split("-")[1] if name.startswith(("torch-cuda-", "torch-mps-")) else "cpu"


def is_calibrated(name: str) -> bool:
    """Whether a name says which calibrated weights the engine has, e.g. ``openvino-int8-0123456789abcdef``."""
    return re.fullmatch(r"[a-z]+-int8-[0-9a-f]{16}", name) is not None
