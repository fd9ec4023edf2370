"""A store that asks for the run's lease before each put: in the process that holds it, and in its workers elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import LockedError
from translate.records import lease as leases
from translate.records.holding import BEATS, Stopwatch, lost_to
from translate.stores.contract import PutMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from translate.records.holding import Held
    from translate.records.lease import Lease
    from translate.stores.contract import IfUnchanged, ObjectInfo, ObjectStore, StoredObject


class FencedStore:
    """An `ObjectStore`: the output or a folder of it, while the lease is held: without it a put is a `LockedError`.

    In another process it asks by an `Onlooker`.
    """

    def __init__(self, store: ObjectStore, held: Held | Onlooker) -> None:
        self._store, self._held = store, held

    def __reduce__(self) -> tuple[type[FencedStore], tuple[ObjectStore, Onlooker]]:
        return FencedStore, (self._store, Onlooker(self._held.store, self._held.lease))

    @property
    def url(self) -> str:
        """As the contract says."""
        return self._store.url

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says."""
        return self._store.list(prefix, start_after=start_after)

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says."""
        return self._store.get(key, if_match=if_match)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """As the contract says, if the lease is held; else `LockedError`."""
        self._held.assure()
        return self._store.put(key, data, mode=mode, content_type=content_type, metadata=metadata)

    def head(self, key: str) -> ObjectInfo:
        """As the contract says."""
        return self._store.head(key)

    def delete(self, key: str) -> None:
        """As the contract says, if the lease is held; else `LockedError`."""
        self._held.assure()
        self._store.delete(key)


class Onlooker:
    """The lease of a run as a worker in another process sees it: read as often as the holder renews it, never written.

    So a worker whose driver stalled, and was replaced, puts nothing more from then on but for that long.
    """

    def __init__(self, store: ObjectStore, lease: Lease) -> None:
        """``store``: where the lease lies."""
        self.store, self.lease = store, lease
        self._looked: Stopwatch | None = None

    def __reduce__(self) -> tuple[type[Onlooker], tuple[ObjectStore, Lease]]:
        return Onlooker, (self.store, self.lease)

    def assure(self) -> None:
        """Return if the run held the lease a moment ago.

        Raises `LockedError` if another run took over; `StoreError` if that could not be found out.
        """
        if self._looked is not None and self._looked.seconds < self.lease.expires_after_s / BEATS:
            return
        begun = Stopwatch()
        found = leases.read(self.store).lease
        if found is None or found.token != self.lease.token:
            raise LockedError(lost_to(self.store, self.lease, found))
        self._looked = begun
