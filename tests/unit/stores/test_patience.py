"""Patience: what is waited for and what is not, how long, how many at once, and that a stop ends it."""

from __future__ import annotations

import math
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from translate.errors import BusyError, NotFoundError, StoreError, UnavailableError
from translate.stores import open_store, patience
from translate.stores.contract import WRITE_TOKEN, PutMode
from translate.stores.memory import MemoryStore
from translate.stores.patience import Gate, PatientStore, bare


class Moody(MemoryStore):
    """Fails with the next of its `moods` before each request, until there are none left."""

    def __init__(self, name, *moods):
        super().__init__(name)
        self.moods = list(moods)
        self.asked = []

    def _mood(self, what):
        self.asked.append(what)
        if self.moods:
            raise self.moods.pop(0)

    def list(self, prefix="", *, start_after=""):
        self._mood(("list", start_after))
        yield from super().list(prefix, start_after=start_after)

    def get(self, key, **options):
        self._mood(("get", key))
        return super().get(key, **options)

    def put(self, key, data, **options):
        self._mood(("put", options["metadata"][WRITE_TOKEN]))
        return super().put(key, data, **options)

    def head(self, key):
        self._mood(("head", key))
        return super().head(key)

    def delete(self, key):
        self._mood(("delete", key))
        super().delete(key)


def busy(count):
    return [BusyError("SlowDown")] * count


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.01)


def test_every_request_is_tried_until_it_is_answered():
    store = Moody("patience-all")
    patient = PatientStore(store)
    for ask in (
        lambda: patient.put("k", b"1"),
        lambda: patient.get("k").data,
        lambda: patient.head("k"),
        lambda: [info.key for info in patient.list()],
        lambda: patient.delete("k"),
    ):
        store.moods = [*busy(2), UnavailableError("timeout")]
        answer = ask()
        assert len(store.asked) == 4
        assert len(set(store.asked)) == 1, "all tries are the same request, a put with the same token"
        assert answer in (b"1", ["k"], None) or answer.size_bytes == 1
        store.asked.clear()


def test_two_puts_are_not_the_same_put():
    store = Moody("patience-tokens")
    PatientStore(store).put("k", b"1")
    PatientStore(store).put("k", b"1", metadata={"translate-source-etag": "e"})
    assert len(set(store.asked)) == 2
    assert store.head("k").metadata["translate-source-etag"] == "e"


class Breaking(MemoryStore):
    """A listing breaks off after every two keys."""

    def __init__(self, name):
        super().__init__(name)
        self.asked = []

    def list(self, prefix="", *, start_after=""):
        self.asked.append(start_after)
        for number, info in enumerate(super().list(prefix, start_after=start_after)):
            if number == 2:
                raise UnavailableError("cut")
            yield info


def test_a_listing_goes_on_where_it_broke(monkeypatch):
    store = Breaking("patience-list")
    for key in "abcdefg":
        store.put(key, b"")
    monkeypatch.setattr(patience, "PATIENCE_S", 0.5)
    keys = []
    for info in PatientStore(store).list(start_after="a"):
        keys.append(info.key)
        time.sleep(0.3)  # who takes their time with what is listed has not lost patience
    assert keys == list("bcdefg")
    assert store.asked == ["a", "c", "e"]


@pytest.mark.parametrize("error", [NotFoundError("no"), StoreError("the disk is full")])
def test_what_waiting_does_not_mend_is_told_at_once(error):
    store = Moody("patience-else", error)
    with pytest.raises(type(error)):
        PatientStore(store).get("k")
    assert len(store.asked) == 1


def test_patience_ends(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_S", 0.2)
    store = Moody("patience-ends", *busy(10_000))
    start_s = time.monotonic()
    with pytest.raises(BusyError, match=r"SlowDown \(tried for \d s\)"):
        PatientStore(store).get("k")
    assert 0.2 <= time.monotonic() - start_s < 5
    assert len(store.asked) > 3


def test_a_stop_ends_a_pause_and_the_patience(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 1000)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 1000)
    monkeypatch.setattr(patience, "STOPPING_S", 0)
    stop = threading.Event()
    patient = PatientStore(Moody("patience-stop", *busy(9)), stop.is_set)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(patient.get, "k")
        time.sleep(0.3)
        assert not waiting.done()
        stop.set()
        with pytest.raises(BusyError):
            waiting.result(timeout=10)


def test_a_store_that_never_answered_may_be_a_mistyped_one():
    away = Moody("patience-away", UnavailableError("name unknown"))
    with pytest.raises(UnavailableError):
        list(PatientStore(away, known=False).list())
    assert len(away.asked) == 1
    busy_one = Moody("patience-busy", *busy(1), UnavailableError("timeout"))
    with pytest.raises(NotFoundError):
        PatientStore(busy_one, known=False).get("k")
    assert len(busy_one.asked) == 3, "it answered that it was busy"
    answered = Moody("patience-answered")
    patient = PatientStore(answered, known=False)
    with pytest.raises(NotFoundError):
        patient.get("k")
    answered.moods = [UnavailableError("timeout")]
    with pytest.raises(NotFoundError):
        patient.get("k")
    assert len(answered.asked) == 3


def test_patience_is_one_process_s_own_and_not_doubled():
    store = open_store("memory://patience-pickle/in/")
    patient = PatientStore(PatientStore(store))
    assert patient.bare is store
    assert bare(patient) is bare(store) is store
    assert patient.url == store.url
    assert type(pickle.loads(pickle.dumps(patient))) is MemoryStore


class Narrow(MemoryStore):
    """Answers so many requests at once, and refuses the others, as a bucket does that is asked too much."""

    def __init__(self, name, most):
        super().__init__(name)
        self._most, self._under_way, self._lock = most, 0, threading.Lock()
        self.refused = self.answered = 0

    def put(self, key, data, **options):
        with self._lock:
            self._under_way += 1
            refuse = self._under_way > self._most
            self.refused += refuse
            self.answered += not refuse
        time.sleep(0.002)
        with self._lock:
            self._under_way -= 1
        if refuse:
            raise BusyError("SlowDown")
        return super().put(key, data, **options)


def test_a_store_that_is_asked_too_much_is_asked_less_and_everything_gets_there():
    store = Narrow("patience-narrow", most=3)
    patient = PatientStore(store)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: patient.put(f"{n:04d}", b"x", mode=PutMode.CREATE), range(400)))
    assert [info.key for info in store.list()] == [f"{n:04d}" for n in range(400)]
    assert store.answered == 400
    assert store.refused < 400, "16 threads without a bound are refused 5 times out of 6"


def fail(gate):
    with pytest.raises(BusyError), gate.passage():
        raise BusyError("SlowDown")


def test_the_gate_halves_once_a_round_and_opens_again_by_and_by():
    gate = Gate()
    together, enough = threading.Barrier(8), threading.Barrier(8)

    def one():
        with gate.passage():
            together.wait()
            enough.wait()
            raise BusyError("SlowDown")

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(one) for _ in range(8)]:
            assert isinstance(future.exception(), BusyError)
    assert gate.most == 4, "eight that failed together are one failure"
    fail(gate)
    assert gate.most == 1
    bounds = []
    while gate.most < math.inf:
        with gate.passage():
            pass
        bounds.append(gate.most)
    assert bounds == sorted(bounds)
    assert 20 < len(bounds) < 60, "one more a round, up to the eight that there were"


def test_nobody_queues_once_the_work_is_to_stop():
    gate, stop, left = Gate(), threading.Event(), threading.Event()
    fail(gate)
    with ThreadPoolExecutor(2) as threads:

        def stay():
            with gate.passage():
                left.wait()

        first = threads.submit(stay)
        while not gate._under_way:
            time.sleep(0.001)

        def come():
            with gate.passage(stop.is_set):
                return True

        second = threads.submit(come)
        time.sleep(0.1)
        assert not second.done()
        stop.set()
        assert second.result(timeout=10)
        left.set()
        first.result()
