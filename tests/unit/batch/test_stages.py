"""Getting and putting: what the store says of a source, and of an output that is there already."""

from __future__ import annotations

import pytest
from jobs import picture

from translate.batch import stages
from translate.errors import ItemError, PreconditionError
from translate.images.codec import decode
from translate.records.manifest import Item
from translate.stores import open_store
from translate.stores.file import FileStore


def test_a_source_must_be_the_one_that_was_listed():
    store = open_store("memory://stages-get")
    info = store.put("a.png", picture(1))
    item = Item("a.png", info.etag, info.size_bytes, "a.png", "png")
    assert decode(stages.get(store, item)).pixels.shape == (24, 32, 3)
    store.put("a.png", picture(2))
    with pytest.raises(ItemError, match=r"input.changed"):
        stages.get(store, item)
    store.delete("a.png")
    with pytest.raises(ItemError, match=r"input.gone"):
        stages.get(store, item)


def test_an_output_that_came_meanwhile_is_kept_if_it_must_be():
    store = open_store("memory://stages-put")
    item = Item("a.png", "e", 1, "a.png", "png")
    assert stages.put(store, item, b"1", {}, replace_existing=False) is not None
    assert stages.put(store, item, b"2", {}, replace_existing=False) is None
    assert store.get("a.png").data == b"1"
    assert stages.put(store, item, b"1", {}, replace_existing=False) == store.head("a.png"), "ours, not recorded yet"
    assert stages.put(store, item, b"2", {}, replace_existing=True) is not None
    assert store.get("a.png").data == b"2"


def test_a_refused_replacement_is_not_taken_for_an_output_that_must_be_kept(tmp_path):
    class Conflicting(FileStore):
        def put(self, key, *_, **__):
            raise PreconditionError(f"{key} is written by somebody else right now")

    item = Item("a.png", "e", 1, "a.png", "png")
    with pytest.raises(PreconditionError):
        stages.put(Conflicting(tmp_path), item, b"1", {}, replace_existing=True)
