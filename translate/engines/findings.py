"""What was measured of engines on this machine, kept for the next run: a file in the user's cache folder.

``$XDG_CACHE_HOME/translate-images/engines.json`` (else ``~/.cache``). Removing it costs a moment of measuring.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from translate import __version__
from translate.engines.machine import machine
from translate.errors import ItemError, StoreError
from translate.stores.file import FileStore

if TYPE_CHECKING:
    from translate.models.translator import Translator

Kind = Literal["ms", "db"]
FILE = "engines.json"
KEPT = 500
"""Of machine, version and model; the oldest give way."""


class Findings:
    """What this version of the program found of one model's engines on this machine: numbers by kind (``ms`` an image,
    ``db`` of agreement) and by engine. A model without a digest, and a folder that cannot be written, have nothing
    remembered."""

    def __init__(self, translator: Translator) -> None:
        self._key = hashlib.sha256(f"{machine()}\n{__version__}\n{translator.facts.digest}".encode()).hexdigest()
        self._numbers: dict[str, float] = _read().get(self._key, {}) if translator.facts.digest else {}
        self._is_kept = bool(translator.facts.digest)

    def get(self, kind: Kind, engine: str) -> float | None:
        """What was found, or None."""
        return self._numbers.get(f"{kind} {engine}")

    def note(self, kind: Kind, engine: str, number: float) -> None:
        """Remember it."""
        self._numbers[f"{kind} {engine}"] = number
        if self._is_kept:
            found = _read()
            found.pop(self._key, None)
            found[self._key] = self._numbers
            _write(dict(list(found.items())[-KEPT:]))


def _store() -> FileStore:
    """Raises `RuntimeError` for a user without a home."""
    return FileStore(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "translate-images")


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_store().get(FILE).data)
    except (StoreError, RuntimeError, ValueError):  # none yet, or damaged: then it is measured again
        return {}
    return found if isinstance(found, dict) else {}


def _write(found: dict[str, Any]) -> None:
    """Whole or not at all; of two runs that end at once, one's findings may be lost."""
    with contextlib.suppress(StoreError, ItemError, RuntimeError):  # read-only, or no home: it is measured each time
        _store().put(FILE, json.dumps(found).encode())
