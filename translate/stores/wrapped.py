"""The base of what wraps a store: everything goes to the store inside, unless a wrapper says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from translate.stores.contract import PutMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from translate.stores.contract import IfUnchanged, ObjectInfo, ObjectStore, StoredObject

T = TypeVar("T")


class WrappedStore:
    """An `ObjectStore` that hands each request to another one; a wrapper overrides what it changes."""

    def __init__(self, store: ObjectStore) -> None:
        self.bare = store
        """The store inside."""

    @property
    def url(self) -> str:
        """As the contract says."""
        return self.bare.url

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says."""
        return self.bare.list(prefix, start_after=start_after)

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says."""
        return self._ask(lambda: self.bare.get(key, if_match=if_match))

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """As the contract says."""
        return self._ask(
            lambda: self.bare.put(key, data, mode=mode, content_type=content_type, metadata=metadata)
        )

    def head(self, key: str) -> ObjectInfo:
        """As the contract says."""
        return self._ask(lambda: self.bare.head(key))

    def delete(self, key: str) -> None:
        """As the contract says."""
        self._ask(lambda: self.bare.delete(key))

    def _ask(self, request: Callable[[], T]) -> T:
        """Make a request of the store inside; `list` does not come here."""
        return request()
