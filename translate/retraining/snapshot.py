"""What a retraining learns from: the listing of its training set at one moment, which side each image is on.

``snapshot.jsonl`` holds a line for each image, by key; it is written once, and its digest names it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from translate.config import canonical_json
from translate.datasets.folder import prefix_of
from translate.errors import ConfigError, DataError
from translate.images.codec import has_image_extension
from translate.provenance import Record
from translate.retraining.holdout import is_held_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.config import Data, Holdout
    from translate.stores.contract import ObjectStore

Place = Literal["a", "b", "answers_a", "answers_b", "test_a", "test_b"]
_PLACES: tuple[Place, ...] = ("a", "b", "answers_a", "answers_b", "test_a", "test_b")
_TESTS = ("test_a", "test_b")


class Entry(Record):
    """One image as it was listed."""

    key: str
    etag: str
    size_bytes: int
    place: Place
    """The folder of `translate.config.Data` that it lies in."""
    held_out: bool
    """Never trained on; the gate looks at it."""


class Difference(Record):
    """What one snapshot has otherwise than an earlier one."""

    since: str
    """The retraining of the earlier one."""
    new: int
    removed: int
    changed: int
    """The same key, another ETag."""


@dataclass(frozen=True)
class Snapshot:
    """The images of a training set, by key."""

    entries: tuple[Entry, ...]

    @cached_property
    def text(self) -> bytes:
        """``snapshot.jsonl``: canonical JSON, a line for each image."""
        # A folder's names need not be Unicode.
        lines = (canonical_json(entry.model_dump()).encode("utf-8", "surrogatepass") for entry in self.entries)
        return b"".join(line + b"\n" for line in lines)

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the text."""
        return "sha256:" + hashlib.sha256(self.text).hexdigest()

    @property
    def total_bytes(self) -> int:
        """Of all images."""
        return sum(entry.size_bytes for entry in self.entries)

    @property
    def counts(self) -> dict[str, int]:
        """Images by place, those held out by themselves: ``{"a": 90, "a, held out": 10, ...}``."""
        found = Counter(f"{entry.place}{', held out' if entry.held_out else ''}" for entry in self.entries)
        return dict(sorted(found.items()))

    @property
    def training(self) -> tuple[Entry, ...]:
        """What training sees: all that is not held out; of test folders, which it only draws samples from, all."""
        return tuple(entry for entry in self.entries if not entry.held_out or entry.place in _TESTS)

    @property
    def held_out(self) -> tuple[Entry, ...]:
        """What the gate sees."""
        return tuple(entry for entry in self.entries if entry.held_out)

    def difference(self, earlier: Snapshot, since: str) -> Difference:
        """What is otherwise than in an earlier one."""
        before, now = ({entry.key: entry.etag for entry in each.entries} for each in (earlier, self))
        return Difference(
            since=since,
            new=len(now.keys() - before.keys()),
            removed=len(before.keys() - now.keys()),
            changed=sum(before[key] != etag for key, etag in now.items() if key in before),
        )


def take_snapshot(store: ObjectStore, data: Data, holdout: Holdout) -> Snapshot:
    """List a training set, and split it. Raises `ConfigError`, `DataError`, `StoreError`."""
    if data.layout != "folders":
        raise ConfigError(f"retraining reads sets in folders; training.data.layout is {data.layout}. Put the halves "
                          "of the pairs under the same names into two folders")
    if (data.test_a is None) != (data.test_b is None):
        raise ConfigError("training.data names one of test_a and test_b; retraining needs both, or neither: then it "
                          "holds images out itself")
    found: dict[str, Entry] = {}
    for entry in _listed(store, data, holdout):
        if entry.key in found:
            raise DataError(f"{store.url}: {entry.key} lies in the folders of {found[entry.key].place} and of "
                            f"{entry.place}; no folder of a training set may lie in another")
        found[entry.key] = entry
    return Snapshot(tuple(found[key] for key in sorted(found)))


def read_snapshot(text: bytes) -> Snapshot:
    """The snapshot whose text this is."""
    lines = text.decode("utf-8", "surrogatepass").split("\n")
    return Snapshot(tuple(Entry.model_validate(json.loads(line)) for line in lines if line))


def held_out_folders(data: Data) -> tuple[str, str]:
    """Where the held-out images of a and b lie."""
    return data.test_a or data.a, data.test_b or data.b


def _listed(store: ObjectStore, data: Data, holdout: Holdout) -> Iterator[Entry]:
    for place in _PLACES:
        folder: str | None = getattr(data, place)
        if folder is None:
            continue
        prefix = prefix_of(folder)
        for info in store.list(prefix):
            if has_image_extension(info.key):
                name = info.key.removeprefix(prefix).rsplit(".", 1)[0]
                held = place in _TESTS or (data.test_a is None and is_held_out(name, holdout))
                yield Entry(key=info.key, etag=info.etag, size_bytes=info.size_bytes, place=place, held_out=held)
