"""Published models: ``name@version`` in an object store, with the shipped ones behind it.

Layout: ``<name>/<version>/model.json`` and what `translate.models.bundle` puts beside it; versions are 1, 2,
3. A version never changes. The shipped models are a second, read-only registry that is looked into after the
user's own; a new version's number is above the versions of both. Which version a bare name means is said by
`translate.registry.pointers` in the user's own registry, also of a shipped model.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.errors import ModelError, NotFoundError, PreconditionError, StoreError, UsageError
from translate.models.bundle import DOCUMENT, Document, Dtype, read_bundle, read_document, write_bundle
from translate.models.translator import NAME, ModelFacts, Translator
from translate.registry.evaluations import EvaluationRecord, read_evaluations
from translate.registry.pointers import Pointers, read_pointers, write_pointers
from translate.shipped import shipped_folder
from translate.stores import open_store
from translate.stores.contract import PutMode
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn

    from translate.stores.contract import ObjectStore

DEFAULT_URL = "./models"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Published:
    """One line of a listing."""

    name: str
    version: int
    origin: str
    """URL of the registry, or ``shipped``."""
    document: Document | None
    """None if it could not be read."""
    problem: str = ""
    """Why not."""


class ModelRegistry:
    """The registry at ``url`` (None: ``TRANSLATE_REGISTRY``, else ``./models``), with the shipped one behind.

    A place that does not exist yet is an empty registry.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or os.environ.get("TRANSLATE_REGISTRY") or DEFAULT_URL
        self._own = open_store(self.url)
        self._shipped = open_store(str(shipped_folder("models")))

    def publish(
        self,
        name: str,
        network: nn.Module,
        facts: ModelFacts,
        files: Mapping[str, bytes],
        *,
        dtype: Dtype = "float32",
    ) -> str:
        """Store a generator as the next version of ``name`` and return ``name@version``.

        ``files`` lie beside it, e.g. ``{"card.md": ...}``. Two publishers at once get two versions: each
        place is claimed by a write that only one can make. Raises `UsageError` for a name that cannot be.
        """
        check_name(name)
        for _ in range(_ATTEMPTS):
            version = 1 + max((*_numbers(self._own, name), *_numbers(self._shipped, name)), default=0)
            placed = facts.model_copy(update={"name": name, "version": version})
            try:
                write_bundle(self._own, f"{name}/{version}/", network, placed, files, dtype=dtype)
            except PreconditionError:
                continue
            return placed.reference
        raise StoreError(f"{self.url}: others took {_ATTEMPTS} versions of {name!r} in a row; try again")

    def list(self) -> list[Published]:
        """All models, by name and version; one that cannot be read is listed with its problem."""
        found: dict[tuple[str, int], Published] = {}
        for store, origin in ((self._shipped, "shipped"), (self._own, self.url)):
            for name, version in _complete(store):
                try:
                    line = Published(name, version, origin, read_document(store, f"{name}/{version}/"))
                except ModelError as error:
                    line = Published(name, version, origin, None, str(error))
                found[name, version] = line
        return [found[key] for key in sorted(found)]

    def find(self, name: str, wanted: Callable[[Document], bool]) -> str | None:
        """``name@version`` of the newest version whose document is ``wanted``; None if none is.

        Shipped versions and those that can't be read are passed over.
        """
        for _, version in sorted(_complete(self._own, name), reverse=True):
            with suppress(ModelError):
                if wanted(read_document(self._own, f"{name}/{version}/")):
                    return f"{name}@{version}"
        return None

    def load(self, reference: str) -> Translator:
        """Load ``name@version``, ``name@champion`` or ``name@previous``; the weights' digest is checked.

        A bare ``name`` is its champion: where a pointer says so, else the newest version, or none where a gate decides
        and has let none pass. Raises `ModelError`, listing what there is, if there is none, and what `read_bundle`
        raises.
        """
        return read_bundle(*self.place(reference))

    def document(self, reference: str) -> Document:
        """``model.json`` of one model, without its weights; raises as `load` does."""
        store, prefix = self.place(reference)
        return read_document(store, prefix)

    def file(self, reference: str, name: str) -> bytes:
        """A file beside a model, e.g. ``card.md``; raises `ModelError` if it has none of that name."""
        store, prefix = self.place(reference)
        try:
            return read_record(store, prefix + name).data
        except NotFoundError as error:
            raise ModelError(f"{reference} has no {name}") from error

    def evaluations(self, reference: str) -> Sequence[EvaluationRecord]:
        """What a version scored, the oldest first; raises as `load` does, and `ModelError` if one is damaged."""
        store, prefix = self.place(reference)
        found = read_evaluations(store, prefix)
        return found if store is self._own else [*found, *read_evaluations(self._own, prefix)]

    def add_evaluation(self, reference: str, record: EvaluationRecord) -> None:
        """Keep an evaluation beside a version (in the user's registry, also of a shipped one); once is enough."""
        _, prefix = self.place(reference)
        with suppress(PreconditionError):
            self._own.put(prefix + record.key, record.data_bytes, mode=PutMode.CREATE, content_type="application/json")

    def place(self, reference: str) -> tuple[ObjectStore, str]:
        """The store that holds a model, and its prefix there; raises as `load` does."""
        name, which = parse_reference(reference)
        own, shipped = set(_complete(self._own, name)), set(_complete(self._shipped, name))
        version, said = self._pointed(name, which, own | shipped) if isinstance(which, str) else (which, "")
        key = max(own | shipped, default=(name, 0)) if version is None else (name, version)
        if key not in own | shipped:
            known = sorted({*_complete(self._own), *_complete(self._shipped)})
            listed = ", ".join(f"{each}@{number}" for each, number in known) or "none"
            raise ModelError(f"no model {reference!r}{said} in {self.url} nor among the shipped; known: {listed}")
        return (self._own if key in own else self._shipped), f"{key[0]}/{key[1]}/"

    def pointers(self, name: str) -> Pointers:
        """Champion and previous of ``name``, all empty if none were set. Raises `ModelError` if they are damaged."""
        check_name(name)
        return read_pointers(self._own, name)

    def promote(self, reference: str, *, expected: Pointers | None = None, why: str = "") -> Pointers:
        """Make ``name@version`` the champion, after it was loaded whole; the one before becomes ``previous``.

        ``expected``: pointers that were read before, e.g. before an evaluation; a move since then is an error. What is
        the champion already stays it, without a new move. Raises `PointersMovedError` if somebody else was first;
        `ModelError` for a version that is missing or damaged; `UsageError` without a version; `StoreError` where the
        store does no conditional writes.
        """
        name, version = parse_reference(reference)
        if isinstance(version, str):
            raise UsageError(f"promote which version of {name!r}? {reference!r} names none; expected e.g. {name}@2")
        seen = self.pointers(name)
        return seen if seen.champion == version else self._move(name, expected or seen, version, why)

    def gate(self, name: str, *, expected: Pointers) -> Pointers:
        """From now on a bare ``name`` means no version until one is promoted; raises as `promote` does."""
        check_name(name)
        return write_pointers(self._own, name, expected, expected.model_copy(update={"gated": True}))

    def rollback(self, name: str, why: str = "") -> Pointers:
        """Make ``previous`` the champion again, and the champion ``previous``: a second rollback undoes the first.

        Raises `UsageError` if there is no previous one, and as `promote` does.
        """
        seen = self.pointers(name)
        if seen.previous is None:
            raise UsageError(f"{name!r} has no previous champion to go back to; promote one: translate models promote "
                             f"{name}@VERSION")
        return self._move(name, seen, seen.previous, why)

    def prunable(self, name: str, keep: int) -> Sequence[int]:
        """Versions that may be deleted: all but champion, previous, the ``keep`` newest and what is shipped.

        What a prune that was killed left over is among them. Raises `UsageError` if ``keep`` is below 1.
        """
        if keep < 1:
            raise UsageError(f"cannot keep {keep} versions of {name!r}; the newest one always stays")
        pointers = self.pointers(name)
        complete = sorted(version for _, version in _complete(self._own, name))
        kept = {*complete[-keep:], pointers.champion, pointers.previous}
        return sorted({*complete, *pointers.pruned}.intersection(_numbers(self._own, name)) - kept)

    def prune(self, name: str, versions: Sequence[int]) -> None:
        """Delete versions, each one's ``model.json`` first, so that no reader takes what is left for a model.

        They are written down as pruned before: whoever promotes one at this moment is refused, or this is. Raises
        `UsageError` for one that `prunable` would never name, `PointersMovedError`, `StoreError`.
        """
        seen = self.pointers(name)
        needed = sorted({*versions} - {*self.prunable(name, 1)})
        if needed:
            raise UsageError(f"{name}@{needed[0]} stays: it is champion, previous, the newest, or not in {self.url}")
        pruned = tuple(sorted({*seen.pruned, *versions}))
        write_pointers(self._own, name, seen, seen.model_copy(update={"pruned": pruned}))
        for version in versions:
            prefix = f"{name}/{version}/"
            self._own.delete(prefix + DOCUMENT)
            for info in list(self._own.list(prefix)):
                self._own.delete(info.key)

    def _move(self, name: str, seen: Pointers, version: int, why: str) -> Pointers:
        if version in seen.pruned:
            raise ModelError(f"{name}@{version} was pruned; promote another version")
        self.load(f"{name}@{version}")  # a champion that cannot be opened would stop every run
        return write_pointers(self._own, name, seen, seen.moved_to(version, why))

    def _pointed(self, name: str, pointer: str, there: set[tuple[str, int]]) -> tuple[int | None, str]:
        """The version that a pointer names, and a word on it for errors; None: the newest of those that are there."""
        pointers = self.pointers(name)
        version = pointers.previous if pointer == "previous" else pointers.champion
        if version is None and pointer == "previous":
            raise ModelError(f"{name!r} has no previous champion; translate models list")
        if version is None and pointers.gated:
            numbers = ", ".join(f"{name}@{number}" for _, number in sorted(there))
            raise ModelError(f"{name!r} has no champion: it is retrained behind a gate, which has let no version pass "
                             + (f"yet. Name one of {numbers}, or promote one: translate models promote {name}@VERSION"
                                if numbers else "yet, and none is published"))
        return version, "" if version is None else f" (it is {name}@{version})"


def parse_reference(reference: str) -> tuple[str, int | str]:
    """``zebra@3`` -> ``("zebra", 3)``; for a bare name, ``zebra@champion`` and ``zebra@previous`` the pointer's name.

    Raises `UsageError`.
    """
    name, at, which = reference.partition("@")
    check_name(name)
    if not at or which in ("champion", "previous"):
        return name, which or "champion"
    if not re.fullmatch(r"[1-9]\d{0,8}", which):
        raise UsageError(f"model {reference!r}: after @ comes a version number such as 1, champion or previous; "
                         f"got {which!r}")
    return name, int(which)


def check_name(name: str) -> None:
    """Raise `UsageError` for what cannot name a model."""
    if not re.fullmatch(NAME.strip("^$"), name):
        raise UsageError(f"{name!r} cannot name a model; use lower-case letters, digits, - and _, as in "
                         "'monet2photo'")


def _complete(store: ObjectStore, name: str = "") -> list[tuple[str, int]]:
    """(name, version) of the models whose ``model.json`` is there."""
    prefix = f"{name}/" if name else ""
    found = []
    for info in store.list(prefix):
        match = re.fullmatch(rf"([a-z0-9][a-z0-9_-]*)/([1-9]\d{{0,8}})/{re.escape(DOCUMENT)}", info.key)
        if match:
            found.append((match[1], int(match[2])))
    return found


def _numbers(store: ObjectStore, name: str) -> list[int]:
    """Version numbers of ``name`` that are taken, also by a publication that broke off."""
    matches = (re.match(r"[^/]+/([1-9]\d{0,8})/", info.key) for info in store.list(f"{name}/"))
    return [int(match[1]) for match in matches if match]
