"""Object stores: one contract, one file per URL scheme. `open_store`, `open_input`, `open_output` are the ways in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from translate import lookup
from translate.errors import UsageError

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

_NO_SCHEMES = ("conditional", "contract", "patience", "records")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_store(url: str, *, endpoint_url: str | None = None) -> ObjectStore:
    """Open the store that ``url`` names; touches neither disk nor network.

    A plain path or ``file:///path`` is a folder, ``memory://name/prefix/`` lives in this process,
    ``s3://bucket/prefix/`` is a bucket. A prefix is a folder: its last ``/`` may be left out.
    ``endpoint_url`` is where S3 is spoken, if not at the usual places; the other stores do not use it.
    Raises `UsageError` for a URL that cannot be one, `UnknownNameError` for a scheme that nobody speaks.
    """
    if not url:
        raise UsageError("a store's location is empty; give a folder, memory://name or s3://bucket/prefix/")
    match = _SCHEME.match(url)
    scheme = match.group(1).lower() if match else "file"
    schemes = [name for name in lookup.names(__name__) if name not in _NO_SCHEMES]
    module = lookup.load(__name__, scheme, "store scheme", among=schemes)
    store: ObjectStore = module.open_url(url, endpoint_url)
    return store


def open_input(url: str, *, endpoint_url: str | None = None) -> ObjectStore:
    """Open a store to read from: as `open_store`, but a folder that is not there is an error at once.

    (Listing a folder that is not there yields nothing, because an output need not exist yet. A bucket that is
    not there is a `NotFoundError` from its first listing, either way.) Raises `UsageError`.
    """
    from translate.stores.file import FileStore

    store = open_store(url, endpoint_url=endpoint_url)
    if isinstance(store, FileStore):
        if not store.root.exists():
            raise UsageError(f"there is no folder {url!r}; give one that exists, or s3://bucket/prefix/")
        if not store.root.is_dir():
            raise UsageError(f"{url!r} is a file, not a folder; give the folder that it is in")
    return store


def open_output(url: str, *, endpoint_url: str | None = None) -> ObjectStore:
    """Open a store to write into: as `open_store`, but a place where no folder can be is an error at once.

    Raises `UsageError`.
    """
    from translate.stores.file import FileStore

    store = open_store(url, endpoint_url=endpoint_url)
    if isinstance(store, FileStore) and (file := store.file_in_its_way()) is not None:
        raise UsageError(f"cannot write into {url!r}: {file} is a file; give a folder, which may be a new one, "
                         "or s3://bucket/prefix/")
    return store
