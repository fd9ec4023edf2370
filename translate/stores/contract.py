"""The contract of an object store: flat bytes by key.

One implementation per URL scheme stands beside this file; `translate.stores.open_store` finds it. Keys are
relative to the store's root and use ``/``; one that a store cannot hold is refused by put and not found by
get. Every method may raise a `StoreError` (`AccessError`, `UnavailableError`); stores are picklable and safe
to use from several threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WRITE_TOKEN = "translate-write-token"  # noqa: S105 - no secret
"""Metadata: a word of one put alone. Whoever finds it at an object knows that this very put took effect."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing or a head says of one object."""

    key: str
    size_bytes: int
    etag: str
    """Opaque version of the content, without quotes; other content, another ETag."""
    modified_s: float | None = field(default=None, compare=False)
    """When it was written, in seconds since 1970 by the store's clock (which may differ from ours), as listings,
    heads and gets tell; None if not told."""
    metadata: Mapping[str, str] | None = field(default=None, compare=False)
    """What was put with it, as heads and gets tell; None if not told (listings), or not kept (a folder)."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object with its bytes."""

    info: ObjectInfo
    data: bytes


class PutMode(Enum):
    """When a put may take effect."""

    OVERWRITE = "overwrite"
    CREATE = "create"
    """Only if absent."""


@dataclass(frozen=True, slots=True)
class IfUnchanged:
    """Put only if the object still has this ETag."""

    etag: str


class ObjectStore(Protocol):
    """Flat bytes by key."""

    @property
    def url(self) -> str:
        """Where the store is, without secrets; `open_store(url)` opens the same place."""
        ...

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Stream every object whose key starts with ``prefix``, recursively, by the keys' UTF-8 bytes.

        That is Python's order of strings. Holds one page, or the names of one folder per level.
        ``start_after`` (exclusive) resumes where a listing ended.
        """
        ...

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """Read one object whole.

        Raises `NotFoundError`; `PreconditionError` if ``if_match`` is given and is not the ETag.
        """
        ...

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Write one object atomically: readers see the old bytes or the new ones, whole.

        ``metadata`` lies beside the bytes, where the store keeps such: names in lower case, ASCII, 2 KB in all.
        A put that is tried again after nobody acknowledged it gives the same `WRITE_TOKEN`, so that it is not
        refused for having taken effect the first time.

        Raises `PreconditionError` if ``mode`` did not apply, `UnsupportedError` if the store says that it knows
        no such ``mode`` (some know none and say nothing: `translate.stores.conditional`); `ItemError`
        ``output.key_refused`` if this store cannot hold such a key.
        """
        ...

    def head(self, key: str) -> ObjectInfo:
        """Facts of one object; raises `NotFoundError`."""
        ...

    def delete(self, key: str) -> None:
        """Remove one object; a missing one is fine."""
        ...
