"""A training set as a snapshot knows it: training and evaluation read through this, and see nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.datasets.layout import rows_among
from translate.errors import DataError, NotFoundError, PreconditionError, UnsupportedError
from translate.stores.contract import ObjectInfo, PutMode, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translate.retraining.snapshot import Entry
    from translate.stores.contract import IfUnchanged, ObjectStore


class SnapshotView:
    """An `ObjectStore` to read from: some images of a snapshot, each as it was listed then.

    Images that came since are not there. One that was changed or removed since is a `DataError` when it is read. A
    manifest has only those rows whose images are there.
    """

    def __init__(self, store: ObjectStore, entries: Iterable[Entry]) -> None:
        self._store = store
        self._entries = {entry.key: entry for entry in entries}

    @property
    def url(self) -> str:
        """Of the set."""
        return self._store.url

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says; nobody is asked."""
        for key in sorted(self._entries):
            if key.startswith(prefix) and key > start_after:
                yield self._info(key)

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says; `DataError` for what is not as it was."""
        listed = self._info(key)
        try:
            found = self._store.get(key, if_match=if_match or listed.etag)
        except NotFoundError as error:
            raise DataError(f"{self.url}: {key} was removed since the snapshot; retrain anew") from error
        except PreconditionError as error:
            raise DataError(f"{self.url}: {key} was changed since the snapshot; retrain anew") from error
        if self._entries[key].place == "manifest":
            return StoredObject(found.info, rows_among(key, found.data, self._entries.keys()))
        return found

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Refused."""
        del data, mode, content_type, metadata
        raise UnsupportedError(f"{self.url} is read through a snapshot; {key} cannot be written")

    def head(self, key: str) -> ObjectInfo:
        """As the contract says; nobody is asked."""
        return self._info(key)

    def delete(self, key: str) -> None:
        """Refused."""
        raise UnsupportedError(f"{self.url} is read through a snapshot; {key} cannot be removed")

    def _info(self, key: str) -> ObjectInfo:
        if key not in self._entries:
            raise NotFoundError(f"no object {key!r} in this part of the snapshot of {self.url}")
        entry = self._entries[key]
        return ObjectInfo(key, entry.size_bytes, entry.etag)
