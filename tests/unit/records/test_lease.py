"""The lease where stores misbehave: conditions ignored or unknown, acknowledgements lost, damaged records."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from translate.errors import LockedError, PreconditionError, StoreError, UnavailableError, UnsupportedError
from translate.records import lease
from translate.records.fenced import FencedStore
from translate.records.holding import hold
from translate.stores.conditional import heeds_conditions
from translate.stores.contract import PutMode
from translate.stores.memory import MemoryStore


class Careless(MemoryStore):
    """Takes conditions and does not heed them, as some servers do."""

    def put(self, key, data, *, mode=PutMode.OVERWRITE, **options):
        del mode
        return super().put(key, data, **options)


class OnlyCreates(MemoryStore):
    """Heeds "only if absent", but not "only if unchanged"."""

    def put(self, key, data, *, mode=PutMode.OVERWRITE, **options):
        return super().put(key, data, mode=mode if mode is PutMode.CREATE else PutMode.OVERWRITE, **options)


class Plain(MemoryStore):
    """Says that it knows no conditions."""

    def put(self, key, data, *, mode=PutMode.OVERWRITE, **options):
        if mode is not PutMode.OVERWRITE:
            raise UnsupportedError("not implemented")
        return super().put(key, data, **options)


class Deaf(MemoryStore):
    """Loses acknowledgements of the lease: the client tries again and is refused for its own put, or gives up."""

    lose = ""

    def put(self, key, data, **options):
        info = super().put(key, data, **options)
        if key == lease.KEY and self.lose:
            error, self.lose = self.lose, ""
            raise PreconditionError("412") if error == "412" else UnavailableError("timeout")
        return info


@pytest.mark.parametrize("kind", [Careless, OnlyCreates, Plain])
def test_a_store_that_cannot_lock_is_found_out_and_does_without(kind, caplog):
    store = kind(f"lease-{kind.__name__}")
    assert not heeds_conditions(store)
    with hold(store, "one", lease.look(store)) as one, hold(store, "two", lease.look(store)) as two:
        assert (one, two) == (None, None)
    assert f"{store.url} does no conditional writes: nothing keeps another run" in caplog.text
    assert lease.read(store) == lease.Seen()


def test_a_refusal_of_our_own_put_is_none():
    store = Deaf("lease-deaf")
    heeds_conditions(store)
    store.lose = "412"
    with hold(store, "run", lease.look(store)) as held:
        held._renewed._monotonic_s -= 100  # asks again before it writes
        store.lose = "412"
        held.assure()
        held._renewed._monotonic_s -= 100
        store.lose = "timeout"
        with pytest.raises(UnavailableError):
            held.assure()
        held.assure()
        FencedStore(store, held).put("a.png", b"1")
        assert not held.lost
    assert lease.read(store).lease.released


def test_a_machine_that_slept_asks_before_it_writes():
    store = MemoryStore("lease-slept")
    with hold(store, "run", lease.look(store)) as held:
        before = lease.read(store).etag
        held.assure()
        assert lease.read(store).etag == before, "fresh: no request"
        held._renewed._wall_s -= 61  # the wall clock went on, the monotonic one did not
        held.assure()
        assert lease.read(store).etag != before


def test_a_damaged_or_newer_record_is_named():
    store = MemoryStore("lease-damaged")
    for data in (b"{", b'{"schema_version": 99}'):
        store.put(lease.KEY, data)
        with pytest.raises(StoreError, match=r"memory://lease-damaged/_translate/lease.json is damaged, or of a newer"):
            lease.look(store)


class Elsewhere(MemoryStore):
    """A store whose clock is ``ahead_s`` of ours."""

    ahead_s = 0.0

    def get(self, key, **options):
        found = super().get(key, **options)
        return replace(found, info=replace(found.info, modified_s=found.info.modified_s + self.ahead_s))

    def head(self, key):
        info = super().head(key)
        return replace(info, modified_s=info.modified_s + self.ahead_s)


@pytest.mark.parametrize("ahead_s", [-7200.0, 7200.0])
def test_no_clock_of_ours_decides(ahead_s):
    store = Elsewhere("lease-clock")
    store.ahead_s = ahead_s
    with hold(store, "run", lease.look(store)):
        until = time.strftime("%H:%M", time.gmtime(lease.read(store).modified_s + 120))
        with pytest.raises(LockedError, match=rf"expires at .* {until}:.*, in (2 min 0 s|1 min 59 s)"):
            lease.look(store)


def test_threads_that_wait_for_a_renewal_fail_with_it_and_not_one_after_the_other():
    class Silent(MemoryStore):
        asked = 0
        gate = threading.Event()

        def put(self, key, data, **options):
            if key == lease.KEY and self.gate.is_set():
                self.asked += 1
                time.sleep(0.5)
                raise UnavailableError("timeout")
            return super().put(key, data, **options)

    store = Silent("lease-silent")
    with hold(store, "run", lease.look(store)) as held:
        held._renewed._monotonic_s -= 100
        store.gate.set()
        with ThreadPoolExecutor(8) as threads:
            failures = [future.exception() for future in [threads.submit(held.assure) for _ in range(8)]]
        assert {type(failure) for failure in failures} == {UnavailableError}
        assert store.asked < 8
        store.gate.clear()
        held.assure()
