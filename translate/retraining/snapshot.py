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
from translate.datasets.layout import list_set, refuse
from translate.errors import ConfigError, DataError
from translate.images.codec import has_image_extension
from translate.provenance import Record
from translate.retraining.holdout import is_held_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.config import Data, Holdout
    from translate.datasets.layout import Images
    from translate.stores.contract import ObjectStore

Place = Literal["a", "b", "answers_a", "answers_b", "test_a", "test_b", "pairs", "test_pairs", "manifest"]
_FOLDERS: tuple[Place, ...] = ("a", "b", "answers_a", "answers_b", "test_a", "test_b", "pairs", "test_pairs")
_TESTS = ("test_a", "test_b", "test_pairs")


class Entry(Record):
    """One file as it was listed: an image, two images side by side, or a manifest of pairs."""

    key: str
    etag: str
    size_bytes: int
    place: Place
    """What it is of `translate.config.Data`."""
    held_out: bool
    """Never trained on; the gate looks at it. A manifest is no image, and both sides read their rows of it."""


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
        found = Counter(f"{entry.place}{', held out' if entry.held_out else ''}" for entry in self.entries
                        if entry.place != "manifest")
        return dict(sorted(found.items()))

    @property
    def training(self) -> tuple[Entry, ...]:
        """What training sees: all that is not held out; of test folders, which it only draws samples from, all."""
        return tuple(entry for entry in self.entries if not entry.held_out or entry.place in _TESTS)

    @property
    def held_out(self) -> tuple[Entry, ...]:
        """What the gate sees."""
        return tuple(entry for entry in self.entries if entry.held_out or entry.place == "manifest")

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
    if (data.test_a is None) != (data.test_b is None):
        raise ConfigError("training.data names one of test_a and test_b; retraining needs both, or neither: then it "
                          "holds images out itself")
    found: dict[str, Entry] = {}
    for entry in _rows(store, data, holdout) if data.layout == "manifest" else _files(store, data, holdout):
        other = found.setdefault(entry.key, entry)
        if other.place != entry.place:
            raise DataError(f"{store.url}: {entry.key} is of {other.place} and of {entry.place}; each image has one "
                            "place in a training set, and no folder of it may lie in another")
        if other.held_out != entry.held_out:
            raise DataError(f"{store.url}: {entry.key} is in pairs that are held out and in pairs that are trained on; "
                            "pairs are held out by their image of a. Name held-out pairs in training.data.test_pairs")
    return Snapshot(tuple(found[key] for key in sorted(found)))


def read_snapshot(text: bytes) -> Snapshot:
    """The snapshot whose text this is."""
    lines = text.decode("utf-8", "surrogatepass").split("\n")
    return Snapshot(tuple(Entry.model_validate(json.loads(line)) for line in lines if line))


def held_out_data(data: Data) -> Data:
    """The same with the places of the held-out images named as test images, as a view of those alone has them."""
    if data.layout == "folders":
        return data.model_copy(update={"test_a": data.test_a or data.a, "test_b": data.test_b or data.b})
    return data.model_copy(update={"test_pairs": data.pairs if data.test_pairs is None else data.test_pairs})


def _files(store: ObjectStore, data: Data, holdout: Holdout) -> Iterator[Entry]:
    """The images in the folders that the layout reads."""
    read = data.model_dump()
    splits = data.test_a is None and data.test_pairs is None
    for place in _FOLDERS:
        folder: str | None = read.get(place)
        if folder is None:
            continue
        prefix = prefix_of(folder)
        for info in store.list(prefix):
            if has_image_extension(info.key):
                name = info.key.removeprefix(prefix).rsplit(".", 1)[0]
                held = place in _TESTS or (splits and is_held_out(name, holdout))
                yield Entry(key=info.key, etag=info.etag, size_bytes=info.size_bytes, place=place, held_out=held)


def _rows(store: ObjectStore, data: Data, holdout: Holdout) -> Iterator[Entry]:
    """The manifests and the images that they list; of pairs, the name of the image of a decides the side."""
    found = list_set(store, data)
    refuse(store, found.findings)
    listed = {info.key: info for info in store.list()}
    for manifest in (data.pairs, data.test_pairs):
        if manifest is not None:
            info = listed[manifest]
            yield Entry(key=manifest, etag=info.etag, size_bytes=info.size_bytes, place="manifest", held_out=False)
    sides: tuple[tuple[Place, Place, Images, Images], ...] = (
        ("a", "b", found.a, found.b), ("test_a", "test_b", found.test_a, found.test_b))
    for place_a, place_b, images, partners in sides:
        for pair, image in images.items():
            name = image.key.rsplit(".", 1)[0]
            held = place_a in _TESTS or (data.test_pairs is None and is_held_out(name, holdout))
            for place, key in ((place_a, image.key), (place_b, partners[pair].key)):
                info = listed[key]
                yield Entry(key=key, etag=info.etag, size_bytes=info.size_bytes, place=place, held_out=held)
