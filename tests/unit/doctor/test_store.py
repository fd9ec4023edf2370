"""What stores really do: real ones, and ones with the faults that some have."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

import pytest

from translate.doctor.store import probe
from translate.errors import AccessError, PreconditionError, StoreError, UnavailableError
from translate.stores import open_store
from translate.stores.contract import IfUnchanged, PutMode, StoredObject


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def store(request, tmp_path):
    if request.param == "file":
        return open_store(str(tmp_path))
    if request.param == "memory":
        return open_store(f"memory://{uuid.uuid4().hex}")
    server = request.getfixturevalue("s3_server")
    return open_store(f"s3://{server.make_bucket()}/in/it/", endpoint_url=server.endpoint_url)


class Faulty:
    """The memory, with other methods in place of some."""

    def __init__(self, **methods):
        self.memory = open_store(f"memory://{uuid.uuid4().hex}")
        self.methods = methods
        self.url = self.memory.url

    def __getattr__(self, name):
        method = self.methods.get(name)
        return getattr(self.memory, name) if method is None else lambda *args, **kw: method(self.memory, *args, **kw)


def found(store):
    lines = list(probe(store))
    return {each.what: each for each in lines}


def refuse(*_args, **_options):
    raise AccessError("no access: AccessDenied")


def test_a_store_that_is_well(store, tmp_path):
    store.put("_translate/runs/a/plan.json", b"mine")
    lines = found(store)
    assert list(lines) == ["store", "store clock", "store creation", "store swap", "store delete", "store latency"]
    assert {each.level for name, each in lines.items() if name != "store latency"} == {"ok"}, lines
    assert lines["store"].found.startswith(store.url)
    assert lines["store latency"].found.startswith("list ")
    if store.url.startswith("s3"):
        assert "same as here" in lines["store clock"].found
    else:
        assert lines["store clock"].found.startswith("unknown")
    assert [info.key for info in store.list()] == ["_translate/runs/a/plan.json"], "the probe is gone"
    assert [path.name for path in tmp_path.rglob("*") if "doctor" in path.name or "tmp" in path.name] == []


def test_an_empty_folder_is_left_empty(tmp_path):
    found(open_store(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_conditions_that_are_ignored():
    def put(memory, key, data, *, mode=PutMode.OVERWRITE, **options):  # noqa: ARG001
        return memory.put(key, data, **options)

    lines = found(store := Faulty(put=put))
    for name in ("store creation", "store swap"):
        assert lines[name].level == "warning"
        assert "is ignored" in lines[name].found
        assert "start one at a time" in lines[name].do
    assert list(store.list()) == []


def test_conditions_that_are_not_understood():
    def put(memory, key, data, *, mode=PutMode.OVERWRITE, **options):
        if mode is not PutMode.OVERWRITE:
            raise StoreError("NotImplemented: a header you provided")
        return memory.put(key, data, **options)

    lines = found(Faulty(put=put))
    assert "only if absent is not understood: NotImplemented" in lines["store creation"].found
    assert "only if unchanged is not understood: NotImplemented" in lines["store swap"].found


def test_a_race_that_several_win():
    def put(memory, key, data, *, mode=PutMode.OVERWRITE, **options):
        if mode is PutMode.CREATE:  # looks, waits, writes
            present = [info.key for info in memory.list(key)]
            time.sleep(0.2)
            if key in present:
                raise PreconditionError("exists")
            mode = PutMode.OVERWRITE
        return memory.put(key, data, mode=mode, **options)

    line = found(Faulty(put=put))["store creation"]
    assert (line.level, line.found) == ("warning", "only if absent: 4 of 4 at once have won")


def test_a_swap_that_never_works():
    def put(memory, key, data, *, mode=PutMode.OVERWRITE, **options):
        if isinstance(mode, IfUnchanged):
            raise PreconditionError("changed")
        return memory.put(key, data, mode=mode, **options)

    assert "refused also where nothing was changed" in found(Faulty(put=put))["store swap"].found


@pytest.mark.parametrize(("off_s", "level", "side"), [
    (0, "ok", "the same as here"), (20, "ok", "behind"), (-20, "ok", "ahead of"),
    (600, "warning", "behind"), (-600, "warning", "ahead of"), (3600, "problem", "behind"),
])
def test_the_clock(off_s, level, side):
    def head(memory, key):
        info = memory.head(key)
        return replace(info, modified_s=float(int(info.modified_s)) + off_s)

    line = found(Faulty(head=head))["store clock"]
    assert line.level == level
    digits = [int(word) for word in line.found.split() if word.isdigit()]
    assert digits == ([] if off_s == 0 else [pytest.approx(abs(off_s), abs=1)])
    assert side in line.found


def test_a_clock_that_is_not_told():
    def head(memory, key):
        return replace(memory.head(key), modified_s=None)

    assert found(Faulty(head=head))["store clock"].found.startswith("unknown")


def test_what_may_not_be_done():
    assert next((each.level, each.what) for each in probe(Faulty(list=refuse))) == ("problem", "store")
    lines = list(probe(store := Faulty(put=refuse)))
    assert [(each.level, each.what) for each in lines] == [("problem", "store"), ("ok", "store latency")]
    assert "put and get: no access" in lines[0].found
    assert list(store.list()) == []
    line = found(Faulty(delete=refuse))["store delete"]
    assert line.level == "warning"
    assert "by hand" in line.do


def test_credentials_that_open_nothing():
    with pytest.raises(AccessError, match="AccessDenied"):
        list(probe(Faulty(list=refuse, put=refuse)))


def test_other_bytes():
    def get(memory, key):
        stored = memory.get(key)
        return StoredObject(stored.info, stored.data[::-1])

    line = found(Faulty(get=get))["store"]
    assert (line.level, "other bytes" in line.found) == ("problem", True)


def test_a_deletion_that_does_nothing():
    line = found(Faulty(delete=lambda _memory, _key: None))["store delete"]
    assert (line.level, "still there" in line.found) == ("problem", True)


def test_a_store_that_cannot_be_reached():
    def gone(*_args, **_options):
        raise UnavailableError("could not be reached")

    with pytest.raises(UnavailableError):
        list(probe(Faulty(list=gone, put=gone)))
