"""The lease over every store: of rivals one wins, the dead lose it to the next, and who lost it writes no more."""

from __future__ import annotations

import json
import os
import pickle
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import translate
from translate.errors import LockedError
from translate.records import lease
from translate.records.fenced import FencedStore
from translate.records.holding import Held, hold
from translate.stores import open_store
from translate.stores.conditional import PROBE, heeds_conditions
from translate.stores.patience import PatientStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from translate.stores.contract import ObjectStore

ROUNDS = {"file": 40, "memory": 40, "s3": 4}
"""SeaweedFS lets racers for one key wait for seconds."""
SHORT_S = 2.0
"""A lease that tests can see expire; S3 tells whole seconds."""
OVER_S = SHORT_S + 2 * lease.CLOCK_STEP_S + 0.2


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(scheme, tmp_path, request) -> ObjectStore:
    if scheme == "s3":
        server = request.getfixturevalue("s3_server")
        return open_store(f"s3://{server.make_bucket()}/out/", endpoint_url=server.endpoint_url)
    return open_store(str(tmp_path / "out") if scheme == "file" else f"memory://{uuid.uuid4().hex}/out/")


@pytest.fixture
def short(monkeypatch):
    """Leases expire soon."""
    monkeypatch.setattr(lease, "EXPIRES_AFTER_S", SHORT_S)


@contextmanager
def stalled(store: ObjectStore) -> Iterator[Held]:
    """A holder that does not renew its lease any more. In the block it is about to write again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Held, "_beat", lambda _: None)
        holding = hold(store, "stalled", lease.look(store))
        held = holding.__enter__()
    assert held is not None
    time.sleep(OVER_S)
    yield held
    held.release()


def take(store: ObjectStore, run: str = "run") -> AbstractContextManager[Held | None]:
    return hold(store, run, lease.look(store))


@pytest.mark.usefixtures("short")
def test_taken_renewed_released_and_taken_again(store):
    start_s = time.monotonic()
    with take(store, "first") as held:
        taken = lease.read(store)
        assert (taken.lease.run, taken.lease.fence, taken.lease.released) == ("first", 1, False)
        time.sleep(SHORT_S + 0.5)
        renewed = lease.read(store)
        assert renewed.etag != taken.etag, "the thread renews it"
        assert 0 < renewed.lease.held_s < time.monotonic() - start_s
        with pytest.raises(LockedError):
            lease.look(store)
        held.assure()
    assert lease.read(store).lease.released
    with take(store, "second") as held:
        assert held.fence == 2
        FencedStore(store, held).put("a.png", b"1")
    assert store.get("a.png").data == b"1"


def test_a_second_run_is_told_who_holds_it_and_until_when(store):
    with take(store, "first"):
        seen = lease.read(store)
        with pytest.raises(LockedError) as caught:
            lease.look(store)
    words = str(caught.value)
    assert f"another run writes to {store.url}: run first, by {seen.lease.user} on {seen.lease.host}" in words
    assert f"(process {os.getpid()}, translate {translate.__version__})" in words
    until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seen.modified_s + 120))
    assert f"its lease expires at {until}, in " in words
    assert caught.value.exit_code == 5
    lease.look(store)


def test_of_two_at_once_exactly_one_wins(scheme, store):
    fences = []
    for number in range(ROUNDS[scheme]):
        gate, done = threading.Barrier(2), threading.Barrier(2)

        def enter(name: str, gate=gate, done=done) -> int | LockedError:
            seen = lease.look(store)
            gate.wait()
            try:
                with hold(store, name, seen) as held:
                    done.wait()  # holds it until the other has tried
                    return held.fence
            except LockedError as error:
                done.wait()
                return error

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(enter, [f"a{number}", f"b{number}"]))
        winners = [result for result in results if isinstance(result, int)]
        (loser,) = [result for result in results if isinstance(result, LockedError)]
        fences += winners
        assert f"run {'b' if isinstance(results[0], int) else 'a'}{number}," not in str(loser), "names the winner"
    assert fences == list(range(1, ROUNDS[scheme] + 1))


@pytest.mark.usefixtures("short")
def test_two_for_the_lease_of_a_dead_one(store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Held, "_beat", lambda _: None)
        patch.setattr(Held, "release", lambda _: None)
        with take(store, "dead"):
            pass
    with pytest.raises(LockedError, match=r"run dead, (.|\n)*its lease expires at 20\d\d-.* UTC, in [012] s"):
        lease.look(store)
    time.sleep(OVER_S)
    gate, done = threading.Barrier(2), threading.Barrier(2)

    def enter(name: str) -> int | None:
        seen = lease.look(store)
        gate.wait()
        try:
            with hold(store, name, seen) as held:
                done.wait()
                return held.fence
        except LockedError:
            done.wait()
            return None

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(enter, ["a", "b"]), key=str) == [2, None]


@pytest.mark.usefixtures("short")
def test_who_stalled_and_was_replaced_writes_nothing_more(store):
    store.put("before.png", b"1")
    with stalled(store) as held:
        output = FencedStore(store, held)
        with take(store, "next") as new:
            assert (held.fence, new.fence, held.lost) == (1, 2, False)
            for write in (lambda: output.put("after.png", b"2"), lambda: output.delete("before.png")):
                with pytest.raises(LockedError, match=r"for 2 s or more, and run next, .* \(lease 1 -> 2\)"):
                    write()
            assert held.lost
            held.release()
            assert (lease.read(store).lease.run, lease.read(store).lease.released) == ("next", False)
            new.assure()
    assert [info.key for info in store.list() if not info.key.startswith("_translate/")] == ["before.png"]


@pytest.mark.usefixtures("short")
def test_who_stalled_and_was_not_missed_goes_on(store):
    with stalled(store) as held:
        before = lease.read(store)
        FencedStore(store, held).put("after.png", b"2")
        after = lease.read(store)
        assert after.etag != before.etag, "renewed before the put"
        assert (after.lease.fence, held.lost) == (1, False)
    assert lease.read(store).lease.released


@pytest.mark.usefixtures("short")
def test_a_removed_lease_is_a_lost_one(store):
    with stalled(store) as held:
        store.delete(lease.KEY)
        with pytest.raises(LockedError, match=r"_translate/lease.json was removed. It writes nothing more"):
            held.assure()
    assert lease.read(store).lease is None


def test_a_run_that_came_between_makes_the_plan_out_of_date(store):
    seen = lease.look(store)
    with take(store, "quick"):
        pass
    with pytest.raises(LockedError, match=r"while this one was planned: run quick, .*run the same command again"):
        hold(store, "slow", seen).__enter__()


def test_every_store_can_lock_and_is_asked_once(store, monkeypatch):
    assert heeds_conditions(store)
    assert store.get(PROBE).data == b""
    store.delete(PROBE)
    assert heeds_conditions(store)
    assert [info.key for info in store.list()] == [], "not asked again"
    monkeypatch.setattr(type(store), "put", lambda *_, **__: pytest.fail("asked again"))
    assert heeds_conditions(PatientStore(store))


@pytest.mark.usefixtures("short")
def test_a_worker_in_another_process_writes_until_its_run_was_replaced(store):
    with stalled(store) as held:
        there = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(FencedStore(store, held)))))
        there.put("a.png", b"1")
        assert (there.url, store.get("a.png").data) == (store.url, b"1"), "stalled, but not replaced"
        time.sleep(SHORT_S / 4)
        with take(store, "next"):
            for write in (lambda: there.put("b.png", b"2"), lambda: there.delete("a.png")):
                with pytest.raises(LockedError, match=r"and run next, .* \(lease 1 -> 2\)"):
                    write()
        with pytest.raises(LockedError):
            there.put("b.png", b"2")
    assert [info.key for info in store.list() if not info.key.startswith("_translate/")] == ["a.png"]


def test_a_worker_may_write_to_a_folder_of_what_is_held(store, scheme, request):
    at = {"endpoint_url": request.getfixturevalue("s3_server").endpoint_url} if scheme == "s3" else {}
    folder = open_store(f"{store.url.rstrip('/')}/training/", **at)
    with take(store) as held:
        there = pickle.loads(pickle.dumps(FencedStore(folder, held)))
        there.put("a.png", b"1")
    assert store.get("training/a.png").data == b"1"
    with take(store), pytest.raises(LockedError):
        pickle.loads(pickle.dumps(FencedStore(folder, held))).put("b.png", b"2")


def test_a_worker_in_another_process_does_not_ask_before_every_put(store, monkeypatch):
    with take(store) as held:
        there = pickle.loads(pickle.dumps(FencedStore(store, held)))
        there.put("a.png", b"1")
        monkeypatch.setattr(type(store), "get", lambda *_, **__: pytest.fail("asked again"))
        there.put("b.png", b"2")


def test_the_record_says_everything_and_newer_fields_are_passed_over(store):
    with take(store, "run-1"):
        record = json.loads(store.get(lease.KEY).data)
    assert set(record) == {
        "schema_version", "fence", "token", "run", "host", "pid", "machine", "user", "version", "expires_after_s",
        "held_s", "released",
    }
    store.put(lease.KEY, json.dumps({**record, "released": True, "fence": 41, "newer": 1}).encode())
    with take(store) as held:
        assert held.fence == 42
