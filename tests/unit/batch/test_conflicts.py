"""Outputs never fall on inputs; sources of one output are found as they pass."""

from __future__ import annotations

import pytest

from translate.batch.conflicts import refuse_overlap, refuse_replacing_sources
from translate.errors import UsageError
from translate.records.manifest import Item
from translate.stores import open_store

ITEM = Item("x.png", "e1", 10, "x.png", "png")


@pytest.mark.parametrize(
    ("source", "output", "refused"),
    [
        ("memory://b/in/", "memory://b/in/", True),
        ("memory://b/in/", "memory://b/in/out/", True),
        ("memory://b/", "memory://b/out/", True),
        ("memory://b/in/", "memory://b/out/", False),
        ("memory://b/in/", "memory://b/in-out/", False),
        ("memory://b/in/", "memory://c/in/", False),
        ("memory://b/in/", "memory://b/", False),
    ],
)
def test_outputs_may_not_lie_among_inputs(source, output, refused):
    if refused:
        with pytest.raises(UsageError, match="is the input:" if source == output else "inside the input"):
            refuse_overlap(open_store(source), open_store(output))
    else:
        refuse_overlap(open_store(source), open_store(output))


def test_an_output_may_not_fall_on_a_source():
    source, output = open_store("memory://around/in/"), open_store("memory://around/")
    refuse_replacing_sources(source, output, [ITEM])
    with pytest.raises(UsageError, match="inside the input"):
        refuse_replacing_sources(source, output, [Item("in/x.png", "e", 1, "in/x.png", "png")])
