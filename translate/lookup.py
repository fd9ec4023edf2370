"""From a public name to the module of that name: a file name is the public name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from typing import TYPE_CHECKING

from translate.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


def names(package: str) -> list[str]:
    """Sorted public names in a room, e.g. ``names("translate.objectives")`` -> ``["cyclegan", "pix2pix"]``."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))


def load(package: str, name: str, kind: str, among: Iterable[str] | None = None) -> ModuleType:
    """Import ``package.name``.

    ``among`` narrows the names that count (a room may hold helpers too). Raises `UnknownNameError`, which lists
    the known names and the nearest one, if there is no such file.
    """
    known = sorted(among) if among is not None else names(package)
    if name not in known:
        raise unknown(kind, name, known)
    return importlib.import_module(f"{package}.{name}")


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The one sentence for an unknown name of any kind."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UnknownNameError(f"unknown {kind} {name!r}; known: {', '.join(known) or 'none'}.{hint}")
