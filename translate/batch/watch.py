"""Watching an input: which of its files are whole, whether there can be anything new, and when to look again."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from translate.images.codec import has_image_extension
from translate.records.layout import RESERVED
from translate.stores.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.batch.planning import Selection
    from translate.stores.contract import ObjectInfo, ObjectStore

SETTLED_S = 5.0
"""A file that was written to within so many seconds may still be being copied."""
CLOCKS_S = 60.0
"""A file may seem to come so far from the future where machines share a folder. From further, its time was set on
purpose, or by a camera."""
LONGEST_PAUSE_S = 600.0


class SettledFolder(FileStore):
    """A folder whose listing leaves out files that were written to less than `SETTLED_S` ago."""

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """List as `ObjectStore.list` does, without files that may be half there."""
        for info in super().list(prefix, start_after=start_after):
            if info.modified_s is None or not -CLOCKS_S < time.time() - info.modified_s < SETTLED_S:
                yield info


def settled(store: ObjectStore) -> ObjectStore:
    """The store as a watch reads it: without half-written files. (On S3 a put is there or not.)"""
    return SettledFolder(store.root) if isinstance(store, FileStore) else store


def fingerprint(store: ObjectStore, selection: Selection) -> str:
    """Digest of an input's listing. If it is the same as before, nothing has arrived or changed."""
    seen = hashlib.sha256()
    for info in store.list():
        if has_image_extension(info.key) and not info.key.startswith(RESERVED) and selection.matches(info.key):
            seen.update(f"{info.key!a} {info.etag!a}\n".encode())
    return seen.hexdigest()


class Pause:
    """How long to wait for the next round; longer and longer while rounds only fail."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._troubles = 0

    @property
    def seconds(self) -> float:
        """The next pause, in seconds: twice as long after each failure, up to `LONGEST_PAUSE_S`."""
        return min(self._every_s * 2.0**self._troubles, max(self._every_s, LONGEST_PAUSE_S))

    def note(self, *, trouble: bool) -> None:
        """Note how a round went."""
        self._troubles = min(self._troubles + 1, 64) if trouble else 0
