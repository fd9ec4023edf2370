"""Tells a fault that every image meets from one image's own: the first ends the run, the second costs one image.

An image that a store has failed waits here until another gets through, which clears it as an image's own trouble.
After a few in a row it is the store's (credentials that ran out, a clock that is off, a server that is gone), and
those that wait are none of them recorded: the next run tries them as if this one had not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import AccessError, TranslateError, UnavailableError

if TYPE_CHECKING:
    from translate.errors import StoreError
    from translate.records.ledger import Entry

IN_A_ROW = 3
"""So many images in a row that failed because of the store end the run."""
INTERNAL = "internal."
"""First part of the code of an image that failed by an unforeseen exception; the stage follows."""
INTERNAL_IN_A_ROW = 10
"""So many such failures in a row end the run: then the images are not to blame."""
_ERRORS: dict[str | None, type[StoreError]] = {"store.access": AccessError, "store.unavailable": UnavailableError}


class Breaker:
    """Holds back images that a store has failed until it is known whether the store or the image is to blame."""

    def __init__(self) -> None:
        self._held: list[Entry] = []
        self._by_store = self._internal = 0
        """Such failures since an image came through."""

    def passed(self, entry: Entry) -> list[Entry]:
        """Take the next entry; returns the entries that can be recorded now, in their order.

        Raises `AccessError` or `UnavailableError`, as the last of `IN_A_ROW` says, and `TranslateError` after
        `INTERNAL_IN_A_ROW` failures that nobody foresaw.
        """
        self._held.append(entry)
        internal = entry.code.startswith(INTERNAL)
        if not internal and entry.code not in _ERRORS:
            self._by_store = self._internal = 0
            return self.rest()
        if internal:
            self._internal += 1
            if self._internal >= INTERNAL_IN_A_ROW:
                raise TranslateError(
                    f"{self._internal} images in a row failed by a fault of the program or of its libraries; none of "
                    f"them is recorded. The last, {entry.key!r}: {entry.code}, {entry.message}"
                )
            return []
        self._by_store += 1
        if self._by_store >= IN_A_ROW:
            raise _ERRORS[entry.code](f"a store refused {self._by_store} images in a row; the last: {entry.message}")
        return []

    def rest(self) -> list[Entry]:
        """The entries that are still held back, when no others will come."""
        certain, self._held = self._held, []
        return certain
