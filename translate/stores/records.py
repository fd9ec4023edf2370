"""Reading what is no image: records of runs and trainings, pointers, weights.

Bytes that miss their checksum, or lie in an archive, cost an image its outcome (`ItemError`). What decides over a whole
run is asked for again, and then the store's fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import ItemError, StoreError, UnavailableError

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore, StoredObject

TRIES = 5
"""Of an object whose bytes were damaged on their way."""


def read_record(store: ObjectStore, key: str) -> StoredObject:
    """One object, whole.

    Raises what the store raises, `UnavailableError` if its bytes are other ones each time, and `StoreError` for what
    the store does not hand out.
    """
    tries = 0
    while True:
        try:
            return store.get(key)
        except ItemError as error:
            tries += 1
            if error.code != "store.integrity":
                raise StoreError(error.message) from error
            if tries == TRIES:
                raise UnavailableError(f"{error.message}, each time. Check the network, then run again") from error
