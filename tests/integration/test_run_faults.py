"""A run whose stores are busy, away, or refuse: what is waited for, what is recorded, and how soon a stop ends it."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest
from jobs import contents, fill, make_job

from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.faults import Faults
from translate.batch.run import prepare, run
from translate.errors import AccessError, BusyError, StoreError, UnavailableError
from translate.progress import silent
from translate.records import lease
from translate.records.history import read_ledger, read_summaries, run_names
from translate.stores import open_store, patience
from translate.stores.contract import WRITE_TOKEN
from translate.stores.memory import MemoryStore
from translate.stores.s3 import S3Store

IMAGES = 30


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.1)


def no_fault(*_):
    pass


class Faulty(MemoryStore):
    """Memory in which `fault(method, key)` may raise before a request."""

    def __init__(self, name, prefix):
        super().__init__(name, prefix)
        self.fault = no_fault

    def get(self, key, **options):
        self.fault("get", key)
        return super().get(key, **options)

    def put(self, key, data, **options):
        self.fault("put", key)
        return super().put(key, data, **options)


def outcomes(output):
    """Key -> (outcome, code) of all runs at an output."""
    return {
        entry.key: (entry.outcome, entry.code)
        for name in run_names(output)
        for _, entries in read_ledger(output, name)
        for entry in entries
    }


def go(prepared, stopped=patience.never):
    return run(prepared, "local", None, silent, stopped)


def stores(name):
    source, output = Faulty(name, "in/"), Faulty(name, "out/")
    return source, output, fill(MemoryStore(name, "in/"), IMAGES)


def test_a_store_that_is_busy_now_and_then_costs_nothing(registry):
    source, output, keys = stores("busy")
    asked = {}

    def often(method, key):
        asked[method, key] = asked.get((method, key), 0) + 1
        if asked[method, key] % 4:
            raise BusyError("SlowDown") if asked[method, key] % 2 else UnavailableError("timeout")

    prepared = prepare(make_job(source, output, registry))
    source.fault = output.fault = often
    summary = go(prepared).summary
    output.fault = source.fault = no_fault
    assert (summary.ok, summary.failed) == (IMAGES, 0)
    assert set(contents(output)) == set(keys)
    assert prepare(make_job(source, output, registry)).plan.count == 0


def test_a_store_that_stays_away_ends_the_run_and_marks_nothing_failed(registry, monkeypatch):
    source, output, _ = stores("away")
    prepared = prepare(make_job(source, output, registry))
    monkeypatch.setattr(patience, "PATIENCE_S", 0.5)
    gone = threading.Event()

    def leave(method, key):
        if key.endswith("0010.png") and method == "get":
            gone.set()
        if gone.is_set():
            raise UnavailableError("no answer")

    source.fault = leave
    with pytest.raises(UnavailableError, match=r"refused 3 images in a row; the last: no answer \(tried for") as raised:
        go(prepared)
    assert raised.value.exit_code == 4
    assert set(outcomes(output).values()) <= {("ok", "")}
    source.fault = no_fault
    assert go(prepare(make_job(source, output, registry))).summary.failed == 0
    assert len(contents(output)) == IMAGES


def test_an_object_that_a_store_does_not_hand_out_costs_one_image(registry, monkeypatch):
    source, output, keys = stores("one")
    prepared = prepare(make_job(source, output, registry))
    monkeypatch.setattr(patience, "PATIENCE_S", 0.3)

    def damaged(_, key):
        if key == keys[7]:
            raise BusyError("500 InternalError")
        if key == keys[20]:
            raise AccessError("AccessDenied")

    source.fault = damaged
    summary = go(prepared).summary
    assert summary.codes == {"store.unavailable": 1, "store.access": 1}
    assert summary.ok == IMAGES - 2
    source.fault = no_fault
    assert go(prepare(make_job(source, output, registry))).summary.ok == 2, "tried again"


def test_credentials_that_run_out_end_the_run_and_nothing_is_marked_failed(registry):
    source, output, _ = stores("expired")
    prepared = prepare(make_job(source, output, registry))
    served = []

    def expire(_, key):
        served.append(key)
        if len(served) > 12:
            raise AccessError("no access: ExpiredToken. The credentials have run out")

    source.fault = expire
    with pytest.raises(AccessError, match=r"refused 3 images in a row(.|\n)*of 30 images are done") as raised:
        go(prepared)
    assert raised.value.exit_code == 4
    assert set(outcomes(output).values()) == {("ok", "")}
    assert list(read_summaries(output)) == []
    source.fault = no_fault
    assert go(prepare(make_job(source, output, registry))).summary.failed == 0


@pytest.mark.parametrize("which", ["source", "output"])
def test_a_stop_does_not_wait_for_a_store_that_is_away(registry, monkeypatch, which):
    source, output, _ = stores(f"stop-{which}")
    prepared = prepare(make_job(source, output, registry))
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 1000.0)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 1000.0)
    monkeypatch.setattr(patience, "STOPPING_S", 0.0)
    stop = threading.Event()

    def away(_, key):
        if key.endswith(".png"):
            threading.Timer(0.5, stop.set).start()
            raise UnavailableError("no answer")

    {"source": source, "output": output}[which].fault = away
    start_s = time.monotonic()
    ended = go(prepared, stop.is_set)
    assert time.monotonic() - start_s < 60
    assert ended.summary is None
    assert outcomes(output) == {}, "what was not tried to the end has no outcome"


def test_a_full_disk_ends_the_run_and_the_same_command_goes_on_when_there_is_room(registry, small_disk, monkeypatch):
    monkeypatch.setattr(lease, "EXPIRES_AFTER_S", 2)
    source = MemoryStore("full-disk", "in/")
    fill(source, IMAGES, height=64, width=64)
    output = open_store(str(small_disk / "out"))
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(850_000))
    prepared = prepare(make_job(source, output, registry))
    with pytest.raises(StoreError, match="the disk is full; make room and run again") as raised:
        go(prepared)
    assert raised.value.exit_code == 4
    assert set(outcomes(output).values()) <= {("ok", "")}
    assert not list(small_disk.rglob(".translate-tmp-[0-9a-f]*"))
    ballast.unlink()
    time.sleep(4)  # a lease that could not be given back, because the disk was full, expires
    go(prepare(make_job(source, output, registry)))
    assert set(outcomes(output).values()) == {("ok", "")}


def test_a_source_that_goes_away_at_the_end_costs_pictures_of_the_page_and_no_patience(registry, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_S", 2.0)
    source, output, keys = stores("page")
    left, in_vain = set(keys), []

    def fault(_, key):
        if key not in left:
            in_vain.append(key)
            raise UnavailableError("gone")
        left.remove(key)

    source.fault = fault
    summary = go(prepare(make_job(source, output, registry))).summary
    assert (summary.ok, summary.failed) == (IMAGES, 0)
    assert in_vain, "the page wanted pictures"
    assert len(in_vain) == len(set(in_vain)), "none was asked for twice"


def test_with_never_the_outputs_of_a_run_that_was_killed_before_it_recorded_them_are_its_own(registry):
    source, output, keys = stores("never-killed")
    job = make_job(source, output, registry, overwrite="never")

    def die(_, key):
        if "/ledger/" in key:
            raise KeyboardInterrupt

    prepared = prepare(job)
    output.fault = die
    with pytest.raises(KeyboardInterrupt):
        go(prepared)
    assert contents(output)
    assert not outcomes(output)
    output.fault = no_fault
    summary = go(prepare(job)).summary
    assert (summary.ok, summary.skipped) == (IMAGES, 0)
    assert set(contents(output)) == set(keys)


@pytest.mark.s3
class TestBucket:
    @pytest.fixture
    def bucket(self, s3_server):
        return s3_server.make_bucket()

    def test_outputs_say_beside_them_what_made_them(self, s3_server, bucket, registry):
        place = S3Store(bucket, "", s3_server.endpoint_url)
        source, output = (S3Store(bucket, name, s3_server.endpoint_url) for name in ("in", "out"))
        keys = fill(source, 2)
        summary = go(prepare(make_job(source, output, registry))).summary
        tokens = set()
        for key in keys:
            said = dict(output.head(key).metadata)
            tokens.add(said.pop(WRITE_TOKEN))
            assert said == {
                "translate-source-etag": source.head(key).etag,
                "translate-work-digest": summary.work_digest,
                "translate-content-digest": "sha256:" + hashlib.sha256(output.get(key).data).hexdigest(),
            }
        assert len(tokens) == 2
        assert len(list(place.list())) > 4

    def test_a_bad_road(self, s3_server, bucket, registry, monkeypatch):
        monkeypatch.setattr("translate.stores._s3_client.READ_TIMEOUT_S", 4)
        source, output = (S3Store(bucket, name, s3_server.endpoint_url) for name in ("in", "out"))
        keys = fill(source, IMAGES)
        rates = {"slow_down": 0.2, "reset": 0.05, "short": 0.05, "lost_ack": 0.2}
        with FaultProxy(s3_server.endpoint_url, Faults(seed=5, rates=rates)) as proxy:
            there = [open_store(store.url, endpoint_url=proxy.endpoint_url) for store in (source, output)]
            summary = go(prepare(make_job(*there, registry, overwrite="never"))).summary
            hit = proxy.fate.counts()
        assert set(hit) == set(rates), "all of them befell"
        assert (summary.ok, summary.failed, summary.skipped) == (IMAGES, 0, 0), "no output of ours taken for another's"
        assert set(contents(output)) == set(keys)
