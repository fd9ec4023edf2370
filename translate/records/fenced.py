"""A store that asks for the run's lease before each put: in the process that holds it, and in its workers elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import LockedError
from translate.records import lease as leases
from translate.records.holding import BEATS, Stopwatch, lost_to
from translate.stores.contract import PutMode
from translate.stores.wrapped import WrappedStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translate.records.holding import Held
    from translate.records.lease import Lease
    from translate.stores.contract import IfUnchanged, ObjectInfo, ObjectStore


class FencedStore(WrappedStore):
    """The output or a folder of it, while the lease is held: without it a put is a `LockedError`.

    In another process it asks by an `Onlooker`.
    """

    def __init__(self, store: ObjectStore, held: Held | Onlooker) -> None:
        super().__init__(store)
        self._held = held

    def __reduce__(self) -> tuple[type[FencedStore], tuple[ObjectStore, Onlooker]]:
        return FencedStore, (self.bare, Onlooker(self._held.store, self._held.lease))

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
        return super().put(key, data, mode=mode, content_type=content_type, metadata=metadata)

    def delete(self, key: str) -> None:
        """As the contract says, if the lease is held; else `LockedError`."""
        self._held.assure()
        super().delete(key)


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
        """Make sure that the run held the lease a moment ago.

        Raises `LockedError` if another run took over; `StoreError` if that could not be found out.
        """
        if self._looked is not None and self._looked.seconds < self.lease.expires_after_s / BEATS:
            return
        begun = Stopwatch()
        found = leases.read(self.store).lease
        if found is None or found.token != self.lease.token:
            raise LockedError(lost_to(self.store, self.lease, found))
        self._looked = begun
