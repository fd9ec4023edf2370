"""What a watch takes for complete, for new, and how long it waits."""

from __future__ import annotations

import os
import pickle
import time

import pytest

from translate.batch.planning import Selection
from translate.batch.watch import LONGEST_PAUSE_S, SETTLED_S, Pause, fingerprint, settled
from translate.stores import open_store

ALL = Selection()


def touch(folder, key, ago_s):
    os.utime(folder / key, (time.time() - ago_s,) * 2)


@pytest.fixture
def folder(tmp_path):
    store = open_store(str(tmp_path))
    for key in ("a.png", "b/c.jpg", "notes.txt", "_translate/x.png"):
        store.put(key, b"1")
        touch(tmp_path, key, 60)
    return tmp_path


def keys(store):
    return [info.key for info in store.list()]


def test_a_file_that_was_just_written_is_not_there_yet(folder):
    store = pickle.loads(pickle.dumps(settled(open_store(str(folder)))))
    everything = ["_translate/x.png", "a.png", "b/c.jpg", "notes.txt"]
    assert (keys(store), store.url) == (everything, str(folder))
    for ago_s, there in ((0, False), (SETTLED_S - 1, False), (SETTLED_S + 1, True), (-30, False), (-3600, True)):
        touch(folder, "a.png", ago_s)
        assert ("a.png" in keys(store)) is there, f"written {ago_s} s ago"
        assert keys(open_store(str(folder))) == everything
    assert store.get("a.png").data == b"1"


def test_a_bucket_is_as_it_is():
    store = open_store("memory://watched/in/")
    assert settled(store) is store


def test_the_fingerprint_tells_what_counts(folder):
    store = open_store(str(folder))
    first = fingerprint(store, ALL)
    (folder / "notes.txt").write_text("more")
    (folder / "_translate" / "y.png").write_text("more")
    assert fingerprint(store, ALL) == first, "no image of the input"
    only_jpg = Selection(include=("*.jpg",))
    narrow = fingerprint(store, only_jpg)
    store.put("a.png", b"2")
    assert fingerprint(store, only_jpg) == narrow
    changed = fingerprint(store, ALL)
    store.put("d\n.png", b"1")
    added = fingerprint(store, ALL)
    store.delete("a.png")
    assert len({first, narrow, changed, added, fingerprint(store, ALL)}) == 5


def test_the_pause_grows_with_trouble_and_is_back_at_once():
    pause = Pause(60)
    seen = []
    for trouble in (False, True, True, True, True, True, False):
        pause.note(trouble=trouble)
        seen.append(pause.seconds)
    assert seen == [60, 120, 240, 480, LONGEST_PAUSE_S, LONGEST_PAUSE_S, 60]
    rare = Pause(3600)
    rare.note(trouble=True)
    assert rare.seconds == 3600, "never more often than asked for"
    for _ in range(2000):
        pause.note(trouble=True)
    assert pause.seconds == LONGEST_PAUSE_S
