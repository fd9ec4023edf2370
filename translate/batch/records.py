"""Reading the records that runs keep of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import ItemError, UnavailableError

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore, StoredObject

TRIES = 5


def read_record(store: ObjectStore, key: str) -> StoredObject:
    """One record, whole.

    Bytes that miss their checksum cost an image its outcome; a record decides over a whole run, so it is asked for
    again. Raises what the store raises, and `UnavailableError` if its bytes are other ones each time.
    """
    for _ in range(TRIES - 1):
        try:
            return store.get(key)
        except ItemError:
            continue
    try:
        return store.get(key)
    except ItemError as error:
        raise UnavailableError(f"{error.message}, each time. Check the network, then run again") from error
