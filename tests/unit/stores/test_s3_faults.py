"""The S3 store where answers are lost, servers are busy and credentials run out: a real server, faults by script."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from s3_server import ENVIRONMENT

from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.faults import Fate, Faults
from translate.errors import AccessError, BusyError, ItemError, PreconditionError, UnavailableError
from translate.records import lease
from translate.records.fenced import FencedStore
from translate.records.holding import hold
from translate.stores import _s3_client, patience
from translate.stores import s3 as s3_module
from translate.stores.conditional import heeds_conditions
from translate.stores.contract import WRITE_TOKEN, IfUnchanged, PutMode
from translate.stores.patience import PatientStore
from translate.stores.s3 import S3Store

pytestmark = pytest.mark.s3


class Script(Fate):
    """Lets the faults of a list befall, in its order, each the next request by its method; then none."""

    def __init__(self, faults):
        super().__init__(Faults(hang_s=1.5))
        self.to_come = list(faults)

    def befalls(self, method, key):
        self.requests += 1
        kind = None
        if self.to_come and self.to_come[0][0] == method:
            kind = self.to_come.pop(0)[1]
            self.note(kind, method, key)
        return kind, random.Random(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(s3_module, "_pause", lambda _: None)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)


@pytest.fixture(scope="module")
def bucket(s3_server):
    name = s3_server.make_bucket()
    S3Store(name, endpoint_url=s3_server.endpoint_url).put("first", b"")  # takes seconds in a new bucket
    return name


@pytest.fixture
def behind(s3_server, bucket):
    """A function: faults as (method, kind), in their order -> a store behind a proxy, the proxy, the store itself."""
    opened = []

    def open_(*faults):
        proxy = FaultProxy(s3_server.endpoint_url, Faults()).__enter__()
        proxy.fate = Script(faults)
        opened.append(proxy)
        place = f"{random.randrange(10**12):012d}"
        return (
            S3Store(bucket, place, proxy.endpoint_url),
            proxy,
            S3Store(bucket, place, s3_server.endpoint_url),
        )

    yield open_
    for proxy in opened:
        proxy.__exit__()


def test_an_object_in_an_archive_is_one_items_trouble_and_no_refused_access():
    response = {"Error": {"Code": "InvalidObjectState", "Message": "not valid for the object's storage class"},
                "ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": {}}}
    told = S3Store("bucket", "in")._ours(ClientError(response, "GetObject"), "old.png")
    assert isinstance(told, ItemError)
    assert told.code == "store.archived"
    assert "object 'old.png' in s3://bucket/in/ is in an archive" in told.message


class TestLostAcknowledgements:
    def test_of_a_create(self, behind):
        store, proxy, there = behind(("PUT", "lost_ack"))
        written = store.put("plan.json", b"mine", mode=PutMode.CREATE, metadata={"translate-source-etag": "e"})
        assert proxy.fate.requests == 3, "put, put refused, head"
        assert written == there.head("plan.json")
        assert there.get("plan.json").data == b"mine"
        assert written.metadata["translate-source-etag"] == "e"

    def test_of_a_compare_and_swap(self, behind):
        store, proxy, there = behind(("PUT", "lost_ack"))
        first = there.put("pointer", b"1")
        second = store.put("pointer", b"2", mode=IfUnchanged(first.etag))
        assert proxy.fate.requests == 3
        assert second == there.head("pointer")
        with pytest.raises(PreconditionError, match="'pointer'"):
            store.put("pointer", b"3", mode=IfUnchanged(first.etag))

    def test_of_a_plain_put(self, behind):
        store, _, there = behind(("PUT", "lost_ack"))
        assert store.put("a.png", b"1") == there.head("a.png")

    def test_where_another_wrote_meanwhile_it_is_theirs(self, behind):
        store, proxy, there = behind(("PUT", "lost_ack"))
        first = there.put("pointer", b"1")
        puts = []

        def overwrite(request, _):
            puts.append(request.method)
            if puts == ["PUT"]:
                there.put("pointer", b"theirs")

        proxy.watchers.append(overwrite)
        with pytest.raises(PreconditionError, match="'pointer'"):
            store.put("pointer", b"2", mode=IfUnchanged(first.etag))
        assert there.get("pointer").data == b"theirs"

    def test_where_it_was_removed_meanwhile_it_is_gone(self, behind):
        store, proxy, there = behind(("PUT", "lost_ack"))
        first = there.put("pointer", b"1")
        proxy.watchers.append(lambda *_: there.delete("pointer"))
        with pytest.raises(PreconditionError, match="'pointer'"):
            store.put("pointer", b"2", mode=IfUnchanged(first.etag))

    def test_also_when_the_client_had_given_up_in_between(self, behind, monkeypatch):
        monkeypatch.setattr(_s3_client, "REQUEST_TRIES", 1)
        store, _, there = behind(("PUT", "lost_ack"))
        with pytest.raises(UnavailableError):
            store.put("a.png", b"1", mode=PutMode.CREATE)
        with pytest.raises(PreconditionError):
            store.put("a.png", b"1", mode=PutMode.CREATE)
        store, _, there = behind(("PUT", "lost_ack"), ("PUT", "lost_ack"))
        written = PatientStore(store).put("a.png", b"1", mode=PutMode.CREATE)
        assert written == there.head("a.png")

    def test_of_the_lease(self, behind):
        store, proxy, there = behind()
        assert heeds_conditions(store)
        proxy.fate.to_come = [("PUT", "lost_ack")]
        with hold(store, "run", lease.look(store)) as held:
            for _ in range(2):
                proxy.fate.to_come = [("PUT", "lost_ack")]
                held._renewed._monotonic_s -= 100  # asks again before it writes
                held.assure()
            FencedStore(store, held).put("a.png", b"1", mode=PutMode.CREATE)
            assert not held.lost
            proxy.fate.to_come = [("PUT", "lost_ack")]
        assert lease.read(there).lease.released

    def test_every_put_has_a_token_of_its_own(self, behind):
        store, _, _ = behind()
        tokens = {store.head(store.put(key, b"").key).metadata[WRITE_TOKEN] for key in "abc"}
        assert len(tokens) == 3


class TestPatience:
    def test_slowdown_beyond_the_client_s_tries(self, behind):
        store, proxy, there = behind(*[("PUT", "slow_down")] * (_s3_client.REQUEST_TRIES + 2))
        with pytest.raises(BusyError, match="SlowDown"):
            store.put("a.png", b"1")
        assert PatientStore(store).put("a.png", b"1") == there.head("a.png")
        assert proxy.fate.to_come == []

    def test_a_listing(self, behind):
        store, proxy, there = behind(*[("GET", "slow_down")] * 4, ("GET", "reset"), *[("GET", "slow_down")] * 4)
        for key in ("a/1", "a/2", "b"):
            there.put(key, b"")
        assert [info.key for info in PatientStore(store).list()] == ["a/1", "a/2", "b"]
        assert proxy.fate.to_come == []

    def test_a_body_that_hangs(self, behind, monkeypatch):
        monkeypatch.setattr(_s3_client, "READ_TIMEOUT_S", 1)
        store, proxy, there = behind(("GET", "hang"), ("GET", "short"), ("GET", "corrupt"))
        there.put("k", b"bytes" * 1000)
        assert store.get("k", if_match=there.head("k").etag).data == b"bytes" * 1000
        assert proxy.fate.to_come == []

    def test_many_threads_at_a_busy_store(self, behind):
        store, proxy, there = behind(*[("PUT", "slow_down")] * 60)
        patient = PatientStore(store)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: patient.put(f"{n:02d}", b"", mode=PutMode.CREATE), range(24)))
        assert [info.key for info in there.list()] == [f"{n:02d}" for n in range(24)]
        assert proxy.fate.to_come == []


class TestCredentials:
    def test_a_refused_token_is_looked_up_again_once(self, behind):
        store, proxy, there = behind(("GET", "expired"))
        there.put("k", b"1")
        before = store._client.boto3()
        assert store.get("k").data == b"1"
        assert store._client.boto3() is not before
        proxy.fate.to_come = [("GET", "expired")] * 2
        with pytest.raises(AccessError, match=r"ExpiredToken.*have run out: get new ones"):
            store.get("k")

    def test_threads_that_are_refused_together_share_the_new_client(self, behind, monkeypatch):
        made = []
        true_make = _s3_client.Client._make
        monkeypatch.setattr(_s3_client.Client, "_make", lambda self: made.append(1) or true_make(self))
        store, proxy, there = behind()
        there.put("k", b"1")
        made.clear()
        store.get("k")
        together = threading.Barrier(4)
        proxy.watchers.append(lambda *_: together.wait(60) if proxy.fate.hits[4:] == [] else None)
        proxy.fate.to_come = [("GET", "expired")] * 4
        with ThreadPoolExecutor(4) as threads:
            assert [found.data for found in threads.map(store.get, "kkkk")] == [b"1"] * 4
        assert len(made) == 2, "one at first, one in its place"

    def test_a_rotated_credentials_file(self, s3_server, bucket, tmp_path, monkeypatch):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        key, secret = (ENVIRONMENT[name] for name in names)
        file = tmp_path / "credentials"
        for name in names:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))

        def write(key, secret):
            file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")

        write("of-last-week", "hunter2")
        store = S3Store(bucket, "rotated", s3_server.endpoint_url)
        for ask in (lambda: store.put("k", b""), lambda: store.get("k"), lambda: list(store.list())):
            with pytest.raises(AccessError, match="InvalidAccessKeyId"):
                ask()
        write(key, secret)
        store.put("k", b"1")
        file.unlink()
        assert store.get("k").data == b"1", "read once, not at every request"
        write(key, secret)
        for ask in (lambda store: store.head("k").key, lambda store: next(store.list()).key):
            write("of-last-week", "hunter2")
            store = S3Store(bucket, "rotated", s3_server.endpoint_url)
            with pytest.raises(AccessError):
                ask(store)
            write(key, secret)
            assert ask(store) == "k", "a refused HEAD does not say why, and is tried again too"

    def test_a_clock_that_is_off_is_measured(self, behind):
        store, proxy, _ = behind(("GET", "skewed"))
        with pytest.raises(AccessError, match=r"RequestTimeTooSkewed.*clock is 3[56]\d\d s (ahead of|behind)"):
            store.get("k")
        assert proxy.fate.requests == 1
