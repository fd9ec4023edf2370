"""What a worker does with the stores: get a source, put an output.

A bad image raises `ItemError`, which is an outcome; a store that cannot be reached raises `StoreError`, which is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import ItemError, NotFoundError, PreconditionError
from translate.images.formats import FORMATS
from translate.stores.contract import PutMode

if TYPE_CHECKING:
    from translate.provenance import Work
    from translate.records.manifest import Item
    from translate.stores.contract import ObjectInfo, ObjectStore



def get(store: ObjectStore, item: Item) -> bytes:
    """The source's bytes, if it is still the one that was listed; else `ItemError` ``input.gone`` or
    ``.changed``."""
    try:
        return store.get(item.key, if_match=item.etag or None).data
    except NotFoundError as error:
        raise ItemError("input.gone", str(error)) from error
    except PreconditionError as error:
        raise ItemError(
            "input.changed", f"{item.key!r} was replaced after it was planned; the next run takes it"
        ) from error


def metadata_of(item: Item, work: Work, digest: str) -> dict[str, str]:
    """Metadata that is stored with an output, where the store has metadata; ``digest``: of the output's bytes."""
    return {
        "translate-source-etag": item.etag,
        "translate-work-digest": work.digest,
        "translate-content-digest": digest,
    }


def put(
    store: ObjectStore, item: Item, data: bytes, metadata: dict[str, str], *, replace_existing: bool
) -> ObjectInfo | None:
    """Write the output; None if another is there already and must be kept."""
    mode = PutMode.OVERWRITE if replace_existing else PutMode.CREATE
    content_type = FORMATS[item.format].content_type
    try:
        return store.put(item.output_key, data, mode=mode, content_type=content_type, metadata=metadata)
    except PreconditionError:
        if replace_existing:
            raise
        return _the_same(store, item.output_key, data)


def _the_same(store: ObjectStore, key: str, data: bytes) -> ObjectInfo | None:
    """The object that is there, if it has these very bytes: then we made it, and died before it was recorded."""
    try:
        there = store.get(key)
    except NotFoundError:  # removed meanwhile
        return None
    return there.info if there.data == data else None
