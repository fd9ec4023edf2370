"""Every planned item ends in exactly one state, whatever the segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.errors import InvariantError
from translate.records import layout
from translate.records.ledger import Entry, Totals, from_lines, merge, to_lines, write_segment
from translate.records.manifest import Item, Unit
from translate.stores import open_store

if TYPE_CHECKING:
    import random

outcomes = st.sampled_from(["ok", "failed", "skipped"])
keys = st.text(min_size=1, max_size=12)  # newlines, quotes, controls: all of Unicode


def entry(key: str, outcome: str) -> Entry:
    code = {"ok": "", "failed": "input.truncated", "skipped": "output.exists"}[outcome]
    return Entry(key, key + ".out", "etag", outcome, code, ms={"get": 1.5})


@given(st.dictionaries(keys, st.lists(outcomes, min_size=1, max_size=3), max_size=20), st.randoms(), st.integers(1, 5))
def test_any_mix_merges_to_one_state_per_item(attempts: dict[str, list[str]], chance: random.Random, cuts: int):
    records = [entry(key, outcome) for key, tried in attempts.items() for outcome in tried]
    chance.shuffle(records)
    segments = [to_lines(records[start::cuts]) for start in range(cuts)]

    merged = merge(from_lines(segment) for segment in segments)
    chance.shuffle(segments)
    assert merge(from_lines(segment) for segment in segments) == merged

    assert set(merged) == set(attempts)
    totals = Totals()
    for one in merged.values():
        totals.add(one)
        tried = attempts[one.key]
        assert one.outcome == ("ok" if "ok" in tried else "skipped" if "skipped" in tried else "failed")
    assert totals.ok + totals.failed + totals.skipped == totals.count == len(attempts)
    assert sum(totals.codes.values()) == totals.failed + totals.skipped


@given(st.text(), st.tuples(st.text(), st.text()))
def test_an_entry_survives_its_line(key: str, notes: tuple[str, str]):
    before = Entry(
        key, key, "e", "ok", digest="sha256:00", size_bytes=7, width=3, height=2, notes=notes, ms={"put": 0.5}
    )
    lines = to_lines([before, before])
    assert lines.count(b"\n") == 2
    assert lines.isascii()
    assert list(from_lines(lines)) == [before, before]


def test_fields_of_a_newer_version_are_passed_over():
    line = to_lines([entry("a", "ok")]).replace(b'{"key"', b'{"colour":"blue","key"')
    assert list(from_lines(line)) == [entry("a", "ok")]


def unit_of(*names: str) -> Unit:
    return Unit(7, tuple(Item(name, "etag", 1, name, "png") for name in names))


def test_a_segment_is_named_by_whether_its_unit_is_finished():
    store = open_store("memory://ledger-names")
    write_segment(store, "run", unit_of("a", "b"), [entry("a", "ok")])
    write_segment(store, "run", unit_of("a", "b"), [entry("a", "ok"), entry("b", "failed")])
    assert [info.key for info in store.list()] == [
        layout.ledger_key("run", 7),
        layout.ledger_key("run", 7, stopped=True),
    ]


@pytest.mark.parametrize("wrong", [["a", "a"], ["a", "stranger"]])
def test_a_segment_that_does_not_add_up_is_not_written(wrong: list[str]):
    store = open_store("memory://ledger-wrong")
    with pytest.raises(InvariantError, match="unit 7"):
        write_segment(store, "run", unit_of("a", "b"), [entry(key, "ok") for key in wrong])
    assert list(store.list()) == []
