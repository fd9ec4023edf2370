"""The plan of a run: which source becomes which output, cut into units of work of fixed membership.

Written once, before the first image, and never changed. JSON is kept in ASCII, so that any key (newlines,
broken Unicode) stands on one line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from translate.images.codec import extension, output_format, with_extension
from translate.images.formats import EXTENSIONS
from translate.records import layout
from translate.stores.contract import PutMode
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from translate.images.picture import OutputFormat
    from translate.provenance import PlanRecord
    from translate.stores.contract import ObjectStore

UNIT_ITEMS = 64
"""Most images in a unit of work, for runs of up to 1.3 million images. A worker takes one unit at a time, and one
ledger segment records it. If the driver is killed, each worker's unit is done again."""
LEAST_ITEMS = 4
SPREAD_UNITS = 32
"""Small runs are cut into about so many units, that several workers share them."""
MANY_UNITS = 20_000
"""Larger runs have larger units rather than more: each is a put, and a get for whoever reads the ledger."""
MOST_ITEMS = 512
"""Most images in a unit of a very large run: to do that much again after a kill costs minutes of a run of days."""
PART_UNITS = 32
"""Units in one object of the plan (up to 16,384 images, about 4 MB)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to do."""

    key: str
    etag: str
    """ETag of the source as listed; the source must still have it when it is read. Empty for a key of ``--keys`` that
    does not exist."""
    size_bytes: int
    output_key: str
    format: OutputFormat


@dataclass(frozen=True, slots=True)
class Unit:
    """Images that are done and recorded together."""

    number: int
    items: tuple[Item, ...]


def target(key: str, format: str) -> tuple[str, OutputFormat]:  # noqa: A002
    """Output key and format of a source key, which must have an image's extension.

    ``keep`` goes by the key's extension, not by the content, so that an output's name never belies it; a format
    that is only read (GIF, BMP, HEIC) becomes the one that it is kept as. The key only changes where the format does.
    """
    named = EXTENSIONS[extension(key)]
    wanted = output_format(named) if format == "keep" else format
    return (key if named == wanted else with_extension(key, wanted)), wanted


def cut(items: Iterable[Item], count: int) -> Iterator[Unit]:
    """Units of fixed size, of ``count`` items in the order given, numbered from 0; one in memory at a time."""
    size = min(UNIT_ITEMS, max(LEAST_ITEMS, count // SPREAD_UNITS))
    size = max(size, min(MOST_ITEMS, count // MANY_UNITS))
    rest = iter(items)
    number = 0
    while chunk := tuple(islice(rest, size)):
        yield Unit(number, chunk)
        number += 1


def write_units(store: ObjectStore, run: str, units: Iterable[Unit]) -> int:
    """Write the units, a part at a time; returns how many there are. They count only once `write_plan` was called."""
    rest = iter(units)
    count = part = 0
    while chunk := tuple(islice(rest, PART_UNITS)):
        lines = "".join(_line(unit) for unit in chunk)
        store.put(layout.units_key(run, part), lines.encode("ascii"), content_type="application/jsonl")
        count += len(chunk)
        part += 1
    return count


def _line(unit: Unit) -> str:
    # Not `dataclasses.asdict`, which takes half the time of planning ten million keys.
    items = [{name: getattr(item, name) for name in Item.__slots__} for item in unit.items]
    return json.dumps({"number": unit.number, "items": items}, separators=(",", ":")) + "\n"


def write_plan(store: ObjectStore, record: PlanRecord) -> None:
    """Write ``plan.json``, which marks the plan as complete."""
    store.put(
        layout.plan_key(record.run),
        record.model_dump_json(indent=1).encode(),
        mode=PutMode.CREATE,
        content_type="application/json",
    )


def read_units(store: ObjectStore, run: str) -> Iterator[Unit]:
    """The units of a run, in order; one part is in memory at a time."""
    for info in store.list(layout.run_prefix(run) + "units/"):
        for line in read_record(store, info.key).data.splitlines():
            fields = json.loads(line)
            yield Unit(fields["number"], tuple(Item(**item) for item in fields["items"]))
