"""Objects in the memory of this process: for tests and demonstrations, nothing outlives the process.

``memory://name/prefix/``: stores of one name share their objects. A pickled store opened in another process
is the same name there, with that process's objects.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from translate.errors import ItemError, NotFoundError, PreconditionError, UsageError
from translate.stores.contract import IfUnchanged, ObjectInfo, PutMode, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_lock = threading.Lock()
_spaces: dict[str, dict[str, StoredObject]] = {}
"""Name -> full key -> what is there (the key in it is that of whoever put it); every access is under the lock."""
_versions = itertools.count(1)


def open_url(url: str, endpoint_url: str | None) -> MemoryStore:  # noqa: ARG001 - one signature for all stores
    """Open ``memory://name/prefix/``; raises `UsageError` without a name."""
    name, _, prefix = url.partition("://")[2].partition("/")
    if not name:
        raise UsageError(f"{url!r} names no store; expected memory://name or memory://name/prefix/")
    return MemoryStore(name, prefix)


class MemoryStore:
    """An `ObjectStore` in this process."""

    def __init__(self, name: str, prefix: str = "") -> None:
        self._name = name
        self._prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"

    def __reduce__(self) -> tuple[type[MemoryStore], tuple[str, str]]:
        return MemoryStore, (self._name, self._prefix)

    @property
    def url(self) -> str:
        """``memory://name/prefix/``."""
        return f"memory://{self._name}/{self._prefix}"

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says; the listing is of the moment of the first step."""
        cut = len(self._prefix)
        with _lock:
            # Python orders strings by code point, which is the order of their UTF-8 bytes.
            found = sorted(
                (
                    replace(stored.info, key=full[cut:], metadata=None)
                    for full, stored in self._objects().items()
                    if full.startswith(self._prefix + prefix) and full[cut:] > start_after
                ),
                key=attrgetter("key"),
            )
        yield from found

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says."""
        with _lock:
            found = self._find(key)
        if if_match is not None and if_match != found.info.etag:
            raise PreconditionError(f"{key!r} in {self.url} was changed: its ETag is {found.info.etag}, not {if_match}")
        return found

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",  # noqa: ARG002 - memory has no use for it
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """As the contract says; only the empty key is refused."""
        if not key:
            raise ItemError("output.key_refused", f"{self.url} cannot hold an object with an empty key")
        with _lock:
            present = self._objects().get(self._prefix + key)
            if mode is PutMode.CREATE and present is not None:
                raise PreconditionError(f"{key!r} exists already in {self.url}")
            if isinstance(mode, IfUnchanged) and (present is None or present.info.etag != mode.etag):
                raise PreconditionError(f"{key!r} in {self.url} was changed or removed since {mode.etag}")
            info = ObjectInfo(key, len(data), f"{next(_versions):x}", time.time(), dict(metadata or {}))
            self._objects()[self._prefix + key] = StoredObject(info, bytes(data))
        return info

    def head(self, key: str) -> ObjectInfo:
        """As the contract says."""
        with _lock:
            return self._find(key).info

    def delete(self, key: str) -> None:
        """As the contract says."""
        with _lock:
            self._objects().pop(self._prefix + key, None)

    def _objects(self) -> dict[str, StoredObject]:
        return _spaces.setdefault(self._name, {})

    def _find(self, key: str) -> StoredObject:
        found = self._objects().get(self._prefix + key)
        if found is None:
            raise NotFoundError(f"no object {key!r} in {self.url}")
        return StoredObject(replace(found.info, key=key), found.data)
