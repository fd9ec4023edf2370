"""The ledger, the outcomes of a run: every planned item ends ok, failed or skipped, exactly once.

One immutable segment per finished unit, JSON lines in ASCII. Segments may be merged in any order.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from translate.errors import InvariantError
from translate.records import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from translate.records.manifest import Item, Unit
    from translate.stores.contract import ObjectStore

Outcome = Literal["ok", "failed", "skipped"]
EXISTS = "output.exists"
"""The code of all skipped items: an output appeared meanwhile that must be kept."""
_RANK = {"ok": 0, "skipped": 1, "failed": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """The outcome of one item."""

    key: str
    output_key: str
    source_etag: str
    outcome: Outcome
    code: str = ""
    """Why the item failed or was skipped, as a stable code, see `translate.errors.ItemError`; empty if ok."""
    message: str = ""
    output_etag: str = ""
    digest: str = ""
    """``sha256:<hex>`` of the output's bytes."""
    size_bytes: int = 0
    """Size of the output."""
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()
    """What was lost or chosen on the way, see `translate.images.picture.Picture`."""
    ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds that the item spent in each stage."""
    source_bytes: int = 0
    """Size of the source; 0 unless the item is ok."""


def unhappy(item: Item, outcome: Literal["failed", "skipped"], code: str, message: str) -> Entry:
    """The entry of an item that failed or was skipped."""
    return Entry(item.key, item.output_key, item.etag, outcome, code, message)


def to_lines(entries: Iterable[Entry]) -> bytes:
    """Entries -> JSON lines in ASCII."""
    return "".join(json.dumps(asdict(entry), separators=(",", ":")) + "\n" for entry in entries).encode("ascii")


def from_lines(data: bytes) -> Iterator[Entry]:
    """JSON lines -> entries; fields that a newer version added are ignored."""
    for line in data.splitlines():
        fields = json.loads(line)
        known = {name: fields[name] for name in Entry.__slots__ if name in fields}
        yield Entry(**{**known, "notes": tuple(known.get("notes", ()))})


def write_segment(store: ObjectStore, run: str, unit: Unit, entries: Sequence[Entry]) -> None:
    """Commit a unit: one entry for each of its items, or, where it was stopped, for those that are finished.

    Writing it again replaces it by an equal one, so it is safe to repeat.
    """
    planned = {item.key for item in unit.items}
    recorded = [entry.key for entry in entries]
    if len(set(recorded)) != len(recorded):
        raise InvariantError(f"unit {unit.number}: an item was recorded twice")
    if not planned.issuperset(recorded):
        raise InvariantError(f"unit {unit.number}: an item was recorded that was not planned")
    stopped = len(recorded) < len(planned)
    store.put(
        layout.ledger_key(run, unit.number, stopped=stopped),
        to_lines(entries),
        content_type="application/jsonl",
    )


def merge(segments: Iterable[Iterable[Entry]]) -> dict[str, Entry]:
    """The one terminal entry of each item of a run, whatever the order of the segments.

    An item that was done twice (a worker died after its put) counts once, and ok if it ever was: its output
    is there.
    """
    merged: dict[str, Entry] = {}
    for segment in segments:
        for entry in segment:
            known = merged.get(entry.key)
            if known is None or _order(entry) < _order(known):
                merged[entry.key] = entry
    return merged


def _order(entry: Entry) -> tuple[int, bytes]:
    return _RANK[entry.outcome], to_lines([entry])


@dataclass
class Totals:
    """Counts of outcomes, kept while entries come in."""

    ok: int = 0
    failed: int = 0
    skipped: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        if entry.outcome == "ok":
            self.ok += 1
        elif entry.outcome == "failed":
            self.failed += 1
        else:
            self.skipped += 1
        if entry.code:
            self.codes[entry.code] = self.codes.get(entry.code, 0) + 1
        for stage, spent in entry.ms.items():
            self.ms[stage] = self.ms.get(stage, 0.0) + spent

    @property
    def count(self) -> int:
        """Number of entries counted."""
        return self.ok + self.failed + self.skipped
