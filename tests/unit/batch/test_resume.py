"""What is left of a run is what its ledger does not have, however it was broken off."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from translate.batch.resume import Rest
from translate.records import layout
from translate.records.ledger import Entry, to_lines, write_segment
from translate.records.manifest import Item, Unit, write_units
from translate.stores import open_store

RUN = "20261122T060000000Z-abcd"


def entry(item: Item) -> Entry:
    return Entry(item.key, item.output_key, item.etag, "ok")


@given(st.lists(st.tuples(st.integers(1, 5), st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4))), max_size=12))
def test_the_rest_is_what_is_not_recorded(shapes):
    """``shapes``: for each unit its size, and which of its items are in its stopped part and in its full one."""
    store = open_store("memory://resume-rest")
    for info in list(store.list()):
        store.delete(info.key)
    units, left = [], []
    for number, (size, *parts) in enumerate(shapes):
        items = tuple(Item(f"{number:03d}/{i}.png", "e", 1, f"{number:03d}/{i}.png", "png") for i in range(size))
        units.append(Unit(number, items))
        for part, stopped in zip(parts, (True, False), strict=True):
            if recorded := [entry(items[i]) for i in sorted(part) if i < size]:
                store.put(layout.ledger_key(RUN, number, stopped=stopped), to_lines(recorded))
        left += [item for i, item in enumerate(items) if not any(i in part for part in parts)]
    write_units(store, RUN, units)
    rest = Rest(store, RUN)
    handed_out = list(rest)
    assert [item for unit in handed_out for item in unit.items] == list(rest.items()) == left
    for unit in handed_out:
        whole, entries = rest.whole(unit, [entry(item) for item in unit.items])
        assert whole == units[unit.number]
        write_segment(store, RUN, whole, entries)
        assert sorted(one.key for one in entries) == sorted(item.key for item in whole.items)
    assert list(Rest(store, RUN)) == []
