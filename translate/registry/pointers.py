"""Which version of a model serves: ``<name>/pointers.json`` beside its versions.

``champion`` is the version that a bare name means, ``previous`` the one before it. They move by compare-and-swap: of
any number of rivals that have seen the same state one moves them, and the others are told who it was. What has moved,
when, why and by whom stands in the same file, so that no killed process can leave one without the other.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

import translate
from translate.errors import ModelError, NotFoundError, PointersMovedError, PreconditionError, StoreError
from translate.provenance import Record, user_name
from translate.stores.conditional import heeds_conditions
from translate.stores.contract import IfUnchanged, PutMode
from translate.stores.records import read_record

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

FILE = "pointers.json"
SCHEMA = 1
KEPT_MOVES = 100
"""Older ones are forgotten."""


class Move(Record):
    """One change of the champion."""

    when: str
    """UTC, ISO 8601, by the clock of the machine that did it."""
    from_version: int | None
    """None: there was no champion."""
    to_version: int
    why: str
    by: str
    """User, host, process, and version of this program."""


class Pointers(Record):
    """``pointers.json``: champion, previous, and how they came to be; of a model that has none, all is empty."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    champion: int | None = None
    """None: a bare name means the newest version, or none if ``gated``."""
    previous: int | None = None
    """The champion before, which a rollback brings back."""
    writes: int = 0
    """How often this was written, so that no content comes twice: S3 tells versions apart by content."""
    pruned: tuple[int, ...] = ()
    """Versions that are deleted, or about to be: never promoted again."""
    gated: bool = False
    """Whether a bare name means no version before one is promoted: then a gate decides which is the first to serve."""
    moves: tuple[Move, ...] = ()
    """The oldest first."""
    etag: str | None = Field(default=None, exclude=True)
    """Of the file that this was read from; None if there is none."""

    def moved_to(self, version: int, why: str) -> Pointers:
        """With another champion; the one before becomes ``previous``."""
        move = Move(when=datetime.now(UTC).isoformat(timespec="seconds"), from_version=self.champion,
                    to_version=version, why=why, by=_who())
        return self.model_copy(update={"champion": version, "previous": self.champion,
                                       "moves": (*self.moves, move)[-KEPT_MOVES:]})


def read_pointers(store: ObjectStore, name: str) -> Pointers:
    """The pointers of one model. Raises `ModelError` if the file is damaged or of a newer schema."""
    try:
        found = read_record(store, _key(name))
    except NotFoundError:
        return Pointers()
    try:
        return Pointers.model_validate_json(found.data).model_copy(update={"etag": found.info.etag})
    except ValidationError as error:
        raise ModelError(
            f"{_place(store, name)} is damaged, or of a newer version of this program: {error.errors()[0]['msg']}. "
            "Update; or remove it and promote the version that should serve"
        ) from error


def write_pointers(store: ObjectStore, name: str, seen: Pointers, wanted: Pointers) -> Pointers:
    """Write ``wanted`` if the file is still as it was ``seen``; returns it with its ETag.

    Raises `PointersMovedError`, saying who was first, if it is not; `StoreError` if the store does no conditional
    writes.
    """
    if not heeds_conditions(store):
        raise StoreError(
            f"{store.url} does no conditional writes, so nothing could keep two promotions at once apart; pointers "
            f"stay as they are. Name versions outright ({name}@1), or keep models in a store that does (`translate "
            "doctor` tells)"
        )
    wanted = wanted.model_copy(update={"writes": seen.writes + 1})
    data = wanted.model_dump_json(indent=1).encode() + b"\n"
    mode = PutMode.CREATE if seen.etag is None else IfUnchanged(seen.etag)
    try:
        info = store.put(_key(name), data, mode=mode, content_type="application/json")
    except PreconditionError as error:
        raise PointersMovedError(_outrun(store, name, seen)) from error
    return wanted.model_copy(update={"etag": info.etag})


def _outrun(store: ObjectStore, name: str, seen: Pointers) -> str:
    now = read_pointers(store, name)
    if now.moves and now.moves != seen.moves:
        last = now.moves[-1]
        before = "" if last.from_version is None else f"from {name}@{last.from_version} "
        what = (f"{last.by} moved the champion of {name!r} {before}to {name}@{last.to_version} at {last.when} "
                f"({last.why or 'no reason given'})")
    elif now.pruned != seen.pruned:
        what = f"versions of {name!r} were pruned"
    elif now.gated != seen.gated:
        what = f"{name!r} was put behind a gate"
    else:
        what = f"{_place(store, name)} was written or removed"
    return f"{what} since it was looked at; nothing was changed now. Look again: translate models list"


def _key(name: str) -> str:
    return f"{name}/{FILE}"


def _place(store: ObjectStore, name: str) -> str:
    return f"{store.url.rstrip('/')}/{_key(name)}"


def _who() -> str:
    return f"{user_name()} on {socket.gethostname()} (process {os.getpid()}, translate {translate.__version__})"
