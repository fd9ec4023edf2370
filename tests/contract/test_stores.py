"""Every store, one contract: the folder, the memory, and S3 on a real server."""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from translate.errors import ItemError, NotFoundError, PreconditionError
from translate.stores import open_input, open_store
from translate.stores.contract import IfUnchanged, ObjectInfo, ObjectStore, PutMode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RACERS = 16
LAPS = {"file": 5, "memory": 5, "s3": 1}
"""SeaweedFS lets racers for one key wait for seconds."""


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bucket(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("s3_server").make_bucket())


@pytest.fixture
def open_here(scheme: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., ObjectStore]:
    """Opens a place below an empty one of this test's own: ``open_here()``, ``open_here("in/")``."""
    if scheme == "file":
        return lambda below="": open_store(f"{tmp_path}/place/{below}")
    if scheme == "memory":
        name = uuid.uuid4().hex
        return lambda below="": open_store(f"memory://{name}/place/{below}")
    root = f"s3://{request.getfixturevalue('bucket')}/{uuid.uuid4().hex}"
    endpoint_url = request.getfixturevalue("s3_server").endpoint_url
    return lambda below="": open_store(f"{root}/{below}", endpoint_url=endpoint_url)


@pytest.fixture
def store(open_here: Callable[..., ObjectStore]) -> ObjectStore:
    return open_here()


def keys(store: ObjectStore, *args: Any, **kwargs: Any) -> list[str]:
    return [info.key for info in store.list(*args, **kwargs)]


def race(entrants: list[Callable[[], ObjectInfo]]) -> list[ObjectInfo | PreconditionError]:
    """Run all at the same moment, each in its own thread; returns what each got."""
    gate = threading.Barrier(len(entrants))

    def run(entrant: Callable[[], ObjectInfo]) -> ObjectInfo | PreconditionError:
        gate.wait()
        try:
            return entrant()
        except PreconditionError as error:
            return error

    with ThreadPoolExecutor(len(entrants)) as pool:
        return list(pool.map(run, entrants))


class TestOneObject:
    def test_put_then_get_and_head_agree(self, store: ObjectStore) -> None:
        written = store.put("a/b.bin", b"\x00\xffbytes", content_type="image/png")
        assert (written.key, written.size_bytes) == ("a/b.bin", 7)
        assert store.get("a/b.bin").data == b"\x00\xffbytes"
        assert store.get("a/b.bin").info == store.head("a/b.bin") == written
        assert list(store.list()) == [written]

    def test_metadata_lies_beside_the_bytes_where_the_store_keeps_such(self, scheme: str, store: ObjectStore) -> None:
        said = {"translate-source-etag": "0f-a+b/c==", "translate-content-digest": "sha256:00"}
        store.put("k", b"1", metadata=said)
        for info in (store.head("k"), store.get("k").info):
            if scheme == "file":
                assert info.metadata is None
            else:
                assert said.items() <= dict(info.metadata or {}).items()
        assert [info.metadata for info in store.list()] == [None], "a listing does not tell"
        store.put("k", b"1")
        assert "translate-source-etag" not in (store.head("k").metadata or {}), "a put replaces all of it"

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        store.put("empty.jpg", b"")
        assert store.get("empty.jpg").data == b""
        assert list(store.list()) == [store.head("empty.jpg")]

    def test_nine_megabytes_come_back_whole(self, store: ObjectStore) -> None:
        data = bytes(range(256)) * (9 * 4096)
        store.put("big", data)
        assert store.get("big").data == data
        assert store.head("big").size_bytes == len(data)

    def test_overwrite_replaces_and_changes_the_etag(self, store: ObjectStore) -> None:
        first = store.put("k", b"one")
        second = store.put("k", b"two")
        assert first.etag != second.etag
        assert store.get("k").data == b"two"

    @pytest.mark.parametrize("key", ["missing", "missing/too", "k/below-an-object", ""])
    def test_a_missing_object_is_not_found(self, store: ObjectStore, key: str) -> None:
        store.put("k", b"")
        for method in (store.get, store.head):
            with pytest.raises(NotFoundError) as raised:
                method(key)
            assert repr(key) in str(raised.value) or not key

    def test_delete_removes_and_a_missing_one_is_fine(self, store: ObjectStore) -> None:
        store.put("d/k", b"x")
        store.delete("d/k")
        store.delete("d/k")
        store.delete("d")
        store.delete("")
        assert keys(store) == []
        with pytest.raises(NotFoundError):
            store.get("d/k")

    def test_what_is_returned_is_bytes_of_the_moment_of_the_put(self, store: ObjectStore) -> None:
        data = bytearray(b"before")
        store.put("k", data)
        data[:] = b"after!"
        assert store.get("k").data == b"before"


class TestConditions:
    def test_create_only_if_absent(self, store: ObjectStore) -> None:
        store.put("k", b"first", mode=PutMode.CREATE)
        with pytest.raises(PreconditionError, match="'k'"):
            store.put("k", b"second", mode=PutMode.CREATE)
        assert store.get("k").data == b"first"
        store.delete("k")
        store.put("k", b"third", mode=PutMode.CREATE)
        assert store.get("k").data == b"third"

    def test_put_only_if_unchanged(self, store: ObjectStore) -> None:
        first = store.put("k", b"1")
        second = store.put("k", b"22", mode=IfUnchanged(first.etag))
        with pytest.raises(PreconditionError, match="'k'"):
            store.put("k", b"333", mode=IfUnchanged(first.etag))
        assert store.get("k").data == b"22"
        store.put("k", b"4444", mode=IfUnchanged(store.head("k").etag))
        assert second.etag != store.head("k").etag

    def test_put_if_unchanged_of_a_missing_object_does_not_apply(self, store: ObjectStore) -> None:
        gone = store.put("k", b"1")
        store.delete("k")
        with pytest.raises(PreconditionError, match="'k'"):
            store.put("k", b"2", mode=IfUnchanged(gone.etag))
        assert keys(store) == []

    def test_get_only_if_match(self, store: ObjectStore) -> None:
        listed = store.put("k", b"1")
        assert store.get("k", if_match=listed.etag).data == b"1"
        store.put("k", b"22")
        with pytest.raises(PreconditionError, match="'k'"):
            store.get("k", if_match=listed.etag)
        with pytest.raises(NotFoundError):
            store.get("missing", if_match=listed.etag)

    def test_a_put_that_does_not_apply_leaves_nothing_behind(self, store: ObjectStore) -> None:
        store.put("k", b"1")
        for mode in (PutMode.CREATE, IfUnchanged("no-such-etag")):
            with pytest.raises(PreconditionError):
                store.put("k", b"2", mode=mode)
        assert keys(store) == ["k"]


class TestRaces:
    def test_of_sixteen_creators_exactly_one_wins(self, scheme: str, store: ObjectStore) -> None:
        for lap in range(LAPS[scheme]):
            key = f"lock-{lap}"

            def enter(n: int, key: str = key) -> Callable[[], ObjectInfo]:
                return lambda: store.put(key, b"%d" % n, mode=PutMode.CREATE)

            results = race([enter(n) for n in range(RACERS)])
            winners = [n for n, result in enumerate(results) if isinstance(result, ObjectInfo)]
            assert len(winners) == 1
            assert store.get(key).data == b"%d" % winners[0]

    def test_of_sixteen_swappers_exactly_one_wins(self, scheme: str, store: ObjectStore) -> None:
        current = store.put("pointer", b"start")
        for lap in range(LAPS[scheme]):

            def enter(n: int, etag: str = current.etag, lap: int = lap) -> Callable[[], ObjectInfo]:
                return lambda: store.put("pointer", b"%d/%d" % (lap, n), mode=IfUnchanged(etag))

            results = race([enter(n) for n in range(RACERS)])
            winners = [result for result in results if isinstance(result, ObjectInfo)]
            assert len(winners) == 1
            assert store.head("pointer") == winners[0]
            current = winners[0]

    def test_a_counter_swapped_by_threads_loses_no_step(self, store: ObjectStore) -> None:
        store.put("counter", b"0")

        def add_five() -> None:
            done = 0
            while done < 5:
                now = store.get("counter")
                try:
                    store.put("counter", b"%d" % (int(now.data) + 1), mode=IfUnchanged(now.info.etag))
                    done += 1
                except PreconditionError:
                    continue

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(add_five) for _ in range(4)]:
                future.result()
        assert store.get("counter").data == b"20"

    def test_readers_see_the_old_bytes_or_the_new_ones_whole(self, store: ObjectStore) -> None:
        versions = [bytes([n]) * (200_000 + n) for n in range(8)]
        store.put("k", versions[0])
        finished = threading.Event()

        def read() -> int:
            reads = 0
            while not finished.is_set() or not reads:
                found = store.get("k")
                assert found.data == versions[found.data[0]]
                assert found.info.size_bytes == len(found.data)
                reads += 1
            return reads

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            for version in versions * 2:
                store.put("k", version)
            finished.set()
            assert all(reader.result() for reader in readers)


class TestListing:
    NAMES = (
        "A", "a-b", "a.jpg", "a/b", "a/d/c.jpg", "a0", "b", "z/z/z", "é.jpg",
        "e\u0301.jpg", "日本/写真.png", "\uffee.jpg", "\U0001f600.jpg", "a b", "a!/x", "Z",
    )  # fmt: skip

    def test_order_is_that_of_the_utf8_bytes(self, store: ObjectStore) -> None:
        for name in self.NAMES:
            store.put(name, name.encode())
        assert keys(store) == sorted(self.NAMES, key=str.encode)
        assert [info.size_bytes for info in store.list()] == [len(key.encode()) for key in keys(store)]
        assert [store.head(info.key) for info in store.list()] == list(store.list())

    def test_start_after_goes_on_from_anywhere(self, store: ObjectStore) -> None:
        for name in self.NAMES:
            store.put(name, b"")
        everything = keys(store)
        for start in [*everything, "a", "a/", "a/zzz", "a.", "\x01", "zzzz", "\U0010ffff"]:
            assert keys(store, start_after=start) == [key for key in everything if key > start], start
        assert keys(store, "a/", start_after="a/b") == ["a/d/c.jpg"]

    @pytest.mark.parametrize("prefix", ["a", "a/", "a/d", "z/z/", "é", "nothing", "nothing/", "a!/x", "../", "/"])
    def test_a_prefix_is_any_beginning_of_keys(self, store: ObjectStore, prefix: str) -> None:
        for name in self.NAMES:
            store.put(name, b"")
        expected = sorted((name for name in self.NAMES if name.startswith(prefix)), key=str.encode)
        assert keys(store, prefix) == expected

    def test_an_empty_place_lists_nothing(self, store: ObjectStore) -> None:
        assert keys(store) == keys(store, "a/") == keys(store, start_after="x") == []

    def test_more_than_one_page(self, store: ObjectStore) -> None:
        names = [f"n{n % 3}/{n:05d}.jpg" if n % 2 else f"{n:05d}.jpg" for n in range(1600)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store.put(name, b"x"), names))
        assert keys(store) == sorted(names)
        assert keys(store, start_after="n0/00801.jpg") == sorted(n for n in names if n > "n0/00801.jpg")
        assert len(keys(store, "n1/")) == sum(name.startswith("n1/") for name in names)

    def test_listing_goes_on_while_objects_come_and_go(self, store: ObjectStore) -> None:
        for n in range(20):
            store.put(f"d{n:02d}/x", b"")
        seen = []
        for n, info in enumerate(store.list()):
            seen.append(info.key)
            store.delete(f"d{19 - n:02d}/x") if n < 5 else None
            store.put(f"new/{n}", b"")
        assert all(a < b for a, b in pairwise(seen))
        assert {f"d{n:02d}/x" for n in range(15)} <= set(seen)


class TestPlaces:
    def test_a_place_below_is_a_store_of_its_own(self, open_here: Callable[..., ObjectStore]) -> None:
        outer, inner, neighbour = open_here(), open_here("in"), open_here("inside/")
        inner.put("k", b"1")
        neighbour.put("n", b"2")
        assert keys(outer) == ["in/k", "inside/n"]
        assert keys(inner) == ["k"]
        assert outer.get("in/k").data == inner.get("k").data
        assert outer.head("in/k").etag == inner.head("k").etag

    def test_the_url_opens_the_same_place(
        self, scheme: str, store: ObjectStore, request: pytest.FixtureRequest
    ) -> None:
        endpoint_url = request.getfixturevalue("s3_server").endpoint_url if scheme == "s3" else None
        store.put("k", b"1")
        assert open_input(store.url, endpoint_url=endpoint_url).get("k").data == b"1"
        assert open_store(store.url, endpoint_url=endpoint_url).url == store.url

    def test_a_pickled_store_is_the_same_store(self, store: ObjectStore) -> None:
        store.put("k", b"1")
        again = pickle.loads(pickle.dumps(store))
        assert again.url == store.url
        assert again.get("k") == store.get("k")


ODD_KEYS = {
    "unicode": "日本/ü é.jpg",
    "spaces": " a  b .jpg",
    "signs": "a+b%20#c?d&e=f;g,h.jpg",
    "percent": "100%.jpg",
    "quotes": "q'\"<>|*.jpg",
    "backslash": "c:\\a\\b.jpg",
    "newline": "a\nb\r\tc.jpg",
    "control": "a\x01b.jpg",
    "leading slash": "/etc/passwd.jpg",
    "double slash": "a//b.jpg",
    "up": "../../etc/passwd",
    "up inside": "a/../../b.jpg",
    "dots": "a/./b.jpg",
    "hidden": ".hidden/.jpg",
    "900 characters in one": "k" * 900,
    "900 characters in many": "/".join(["n" * 99] * 9),
    "1025 bytes": "/".join(["n" * 204] * 5) + "x",
    "NUL": "a\x00b.jpg",
    "lone surrogate": "a\ud800b.jpg",
    "folder": "a/",
}
"""Keys that a bucket may hold."""
REFUSED = {
    "file": {
        "leading slash", "double slash", "up", "up inside", "dots", "900 characters in one", "NUL",
        "lone surrogate", "folder",
    },
    "memory": set(),
    "s3": {
        "up", "up inside", "dots", "900 characters in one", "1025 bytes", "NUL", "lone surrogate", "folder",
    },
}  # fmt: skip
"""What our stores cannot hold; S3 as SeaweedFS has it (Amazon's takes 900 characters in one segment)."""
FOLDED_BY_SEAWEEDFS = {
    "leading slash": "etc/passwd.jpg",
    "double slash": "a/b.jpg",
    "backslash": "c:/a/b.jpg",
}
"""SeaweedFS takes these keys, hands them out, and lists them tidied up."""


@pytest.mark.parametrize("kind", ODD_KEYS)
def test_an_odd_key_round_trips_or_costs_one_item(scheme: str, store: ObjectStore, kind: str) -> None:
    key = ODD_KEYS[kind]
    store.put("ordinary", b"o")
    if kind in REFUSED[scheme]:
        with pytest.raises(ItemError) as raised:
            store.put(key, b"odd")
        assert raised.value.code == "output.key_refused"
        for method in (store.get, store.head):
            with pytest.raises(NotFoundError):
                method(key)
        store.delete(key)
        assert keys(store) == ["ordinary"]
        return
    info = store.put(key, b"odd")
    assert store.get(key).data == b"odd"
    assert store.head(key) == info
    listed = FOLDED_BY_SEAWEEDFS.get(kind, key) if scheme == "s3" else key
    assert keys(store) == sorted([listed, "ordinary"])
    store.delete(key)
    assert keys(store) == ["ordinary"]


def test_when_an_object_was_written(store: ObjectStore) -> None:
    before_s = time.time()
    store.put("a/old.png", b"1")
    store.put("new.png", b"2")
    heads = {key: store.head(key).modified_s or 0.0 for key in ("a/old.png", "new.png")}
    assert {info.key: info.modified_s for info in store.list()} == pytest.approx(heads, rel=0, abs=1)
    assert before_s - 2 < heads["a/old.png"] <= heads["new.png"] < time.time() + 2, "S3 tells whole seconds"
