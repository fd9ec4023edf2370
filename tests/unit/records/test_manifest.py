"""Output keys are a function of input keys; the plan survives storage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.records import layout
from translate.records.manifest import PART_UNITS, UNIT_ITEMS, Item, cut, read_units, target, write_units
from translate.stores import open_store


@pytest.mark.parametrize(
    ("key", "wanted", "expected"),
    [
        ("a/b.jpg", "keep", ("a/b.jpg", "jpeg")),
        ("a/b.JPEG", "keep", ("a/b.JPEG", "jpeg")),
        ("b.png", "keep", ("b.png", "png")),
        ("b.gif", "keep", ("b.png", "png")),
        ("b.tiff", "keep", ("b.tiff", "tiff")),
        ("b.png", "tiff", ("b.tif", "tiff")),
        ("b.jpg", "png", ("b.png", "png")),
        ("b.jpg", "webp", ("b.webp", "webp")),
        ("b.jpeg", "jpeg", ("b.jpeg", "jpeg")),
        ("a.b/c.d.png", "jpeg", ("a.b/c.d.jpg", "jpeg")),
    ],
)
def test_the_key_changes_only_where_the_format_does(key, wanted, expected):
    assert target(key, wanted) == expected


def items(count: int) -> list[Item]:
    return [Item(f"{i:05d} \n\u00e9\U0001f600.png", f"e{i}", i, f"{i}.png", "png") for i in range(count)]


@given(st.integers(1, 5000))
def test_units_hold_every_item_once_in_order(count: int):
    planned = items(count)
    units = list(cut(iter(planned), count))
    assert [item for unit in units for item in unit.items] == planned
    assert [unit.number for unit in units] == list(range(len(units)))
    assert max(len(unit.items) for unit in units) <= UNIT_ITEMS


def test_the_plan_is_read_as_it_was_written():
    store = open_store("memory://manifest-units")
    count = UNIT_ITEMS * PART_UNITS + 100
    units = list(cut(items(count), count))
    assert write_units(store, "run", units) == len(units)
    assert len(list(store.list())) == -(-len(units) // PART_UNITS) == 2
    assert list(read_units(store, "run")) == units


def test_run_names_sort_by_time():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    names = [layout.new_run_id(now + timedelta(milliseconds=7 * i)) for i in range(300)]
    assert names == sorted(names)
    assert len({layout.new_run_id(now) for _ in range(20)}) > 1
