"""Bytes of a record that are damaged on their way; a real store cannot be made to damage them so often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from translate.batch.worker import read_calibrated
from translate.errors import ItemError, NotFoundError, StoreError, UnavailableError
from translate.records import layout
from translate.stores.memory import MemoryStore
from translate.stores.records import TRIES, read_record

if TYPE_CHECKING:
    from translate.stores.contract import StoredObject


class DamagingStore(MemoryStore):
    """Its first answers miss their checksums."""

    def __init__(self, damaged: int) -> None:
        super().__init__("damaging")
        self.damaged = damaged

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        found = super().get(key, if_match=if_match)
        self.damaged -= 1
        if self.damaged >= 0:
            raise ItemError("store.integrity", f"{key!r}: other bytes than their checksum says")
        return found


def test_a_record_that_was_damaged_on_its_way_is_asked_for_again() -> None:
    store = DamagingStore(TRIES - 1)
    store.put("k", b"whole")
    assert read_record(store, "k").data == b"whole"


def test_calibrated_weights_that_were_damaged_on_their_way_are_asked_for_again() -> None:
    store, engine = DamagingStore(TRIES - 1), f"openvino-int8-{'0' * 16}"
    store.put(layout.calibrated_key(engine), b"weights")
    assert read_calibrated(store, engine) == b"weights"


def test_a_record_that_is_damaged_each_time_is_the_stores_fault_and_no_images() -> None:
    store = DamagingStore(TRIES)
    store.put("k", b"whole")
    with pytest.raises(UnavailableError, match=r"'k'.*Check the network"):
        read_record(store, "k")


def test_a_record_that_is_not_there_is_not_asked_for_again() -> None:
    with pytest.raises(NotFoundError):
        read_record(DamagingStore(0), "none")


def test_a_record_that_the_store_does_not_hand_out_is_not_asked_for_again() -> None:
    asked = []

    class ArchivedStore(MemoryStore):
        def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
            asked.append((key, if_match))
            raise ItemError("store.archived", f"{key!r} is in an archive: restore it")

    with pytest.raises(StoreError, match="'k' is in an archive: restore it"):
        read_record(ArchivedStore("archived"), "k")
    assert asked == [("k", None)]
