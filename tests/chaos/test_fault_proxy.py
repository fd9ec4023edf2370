"""The fault proxy does what it says: each fault as a plain client sees it, and nothing to anybody else."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

import pytest
from botocore import exceptions as boto
from botocore.config import Config

from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.faults import RATES, Fate, Faults, Window

pytestmark = pytest.mark.s3
BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def bucket(s3_server):
    return s3_server.make_bucket()  # the first put into a new one takes seconds


@pytest.fixture
def behind(s3_server, bucket):
    """A function: faults -> (proxy, boto3 client that tries once, bucket with one object)."""
    opened = []
    for key in stored(s3_server, bucket):
        s3_server.client().delete_object(Bucket=bucket, Key=key)
    s3_server.client().put_object(Bucket=bucket, Key="a/b c.png", Body=BODY)

    def open_(faults, read_timeout_s=10):
        proxy = FaultProxy(s3_server.endpoint_url, faults).__enter__()
        opened.append(proxy)
        settings = Config(connect_timeout=2, read_timeout=read_timeout_s, retries={"total_max_attempts": 1})
        return proxy, s3_server.client(endpoint_url=proxy.endpoint_url, config=settings), bucket

    yield open_
    for proxy in opened:
        proxy.__exit__()


def whole(client, bucket, key="a/b c.png"):
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def stored(s3_server, bucket):
    return [found["Key"] for found in s3_server.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_without_faults_nothing_changes(behind):
    proxy, client, bucket = behind(Faults())
    client.put_object(Bucket=bucket, Key="ö/+%20.png", Body=b"x" * 100_000)
    assert whole(client, bucket, "ö/+%20.png") == b"x" * 100_000
    assert whole(client, bucket) == BODY
    assert client.head_object(Bucket=bucket, Key="a/b c.png")["ContentLength"] == len(BODY)
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 2
    with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="a/b c.png", Body=b"", IfNoneMatch="*")
    client.delete_object(Bucket=bucket, Key="a/b c.png")
    with pytest.raises(client.exceptions.NoSuchKey):
        whole(client, bucket)
    assert proxy.fate.counts() == {}
    assert proxy.fate.requests == 8


def test_a_request_through_the_proxy_costs_little(behind, s3_server):
    _, through, bucket = behind(Faults())
    direct = s3_server.client()

    def each_s(client):
        start = time.perf_counter()
        for _ in range(30):
            client.head_object(Bucket=bucket, Key="a/b c.png")
        return (time.perf_counter() - start) / 30

    rounds = [(each_s(through), each_s(direct)) for _ in range(3)]
    with_s, without_s = (min(times) for times in zip(*rounds, strict=True))
    extra_ms = 1000 * (with_s - without_s)
    print(f"a request through the proxy: {extra_ms:.2f} ms more")
    assert extra_ms < 10, "an idle machine takes less than 1"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("slow_down", boto.ClientError),
        ("reset", (boto.ConnectionClosedError, boto.ResponseStreamingError)),
        ("short", (boto.IncompleteReadError, boto.ResponseStreamingError)),
        ("hang", boto.ReadTimeoutError),
        ("corrupt", boto.FlexibleChecksumError),
    ],
)
def test_a_get_that_fails(behind, kind, error):
    proxy, client, bucket = behind(Faults(rates={kind: 1.0}, hang_s=1.0), read_timeout_s=0.5)
    with pytest.raises(error):
        whole(client, bucket)
    assert proxy.fate.counts() == {kind: 1}
    (hit,) = proxy.fate.hits
    assert (hit.kind, hit.method, hit.key) == (kind, "GET", "a/b c.png")


@pytest.mark.parametrize(("kind", "arrives"), [("reset", False), ("slow_down", False), ("lost_ack", True)])
def test_a_put_that_fails_before_or_after_it_was_done(behind, s3_server, kind, arrives):
    _, client, bucket = behind(Faults(rates={kind: 1.0}))
    with pytest.raises((boto.ClientError, boto.ConnectionClosedError)):
        client.put_object(Bucket=bucket, Key="new", Body=b"1", IfNoneMatch="*")
    assert ("new" in stored(s3_server, bucket)) == arrives


def test_a_stall_is_only_late(behind):
    _, client, bucket = behind(Faults(rates={"stall": 1.0}, stall_s=(0.2, 0.3)))
    start = time.monotonic()
    assert whole(client, bucket) == BODY
    assert time.monotonic() - start >= 0.2


def test_a_clock_that_is_wrong_in_an_answer_changes_nothing_else(behind):
    _, client, bucket = behind(Faults(rates={"wrong_date": 1.0}))
    answer = client.head_object(Bucket=bucket, Key="a/b c.png")["ResponseMetadata"]["HTTPHeaders"]
    assert abs(abs(parsedate_to_datetime(answer["date"]).timestamp() - time.time()) - 3600) < 5


def test_conditions_are_taken_off_and_the_signature_still_holds(behind, s3_server):
    proxy, client, bucket = behind(Faults(careless=True))
    client.put_object(Bucket=bucket, Key="a/b c.png", Body=b"replaced", IfNoneMatch="*")
    client.put_object(Bucket=bucket, Key="a/b c.png", Body=b"again", IfMatch='"0"', ContentType="image/png")
    assert whole(s3_server.client(), bucket) == b"again"
    assert s3_server.client().head_object(Bucket=bucket, Key="a/b c.png")["ContentType"] == "image/png"
    assert proxy.fate.counts() == {"stripped": 2}


def test_a_window_refuses_everything_for_a_while(behind):
    proxy, client, bucket = behind(Faults(windows=(Window("expired", 3, 0.5), Window("skewed", 5, 0.5))))
    for _ in range(2):
        client.head_object(Bucket=bucket, Key="a/b c.png")
    for _ in range(2):
        with pytest.raises(boto.ClientError, match="ExpiredToken"):
            client.list_objects_v2(Bucket=bucket)
    time.sleep(0.6)
    with pytest.raises(boto.ClientError, match="RequestTimeTooSkewed") as refused:
        client.put_object(Bucket=bucket, Key="x", Body=b"")
    date = refused.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) > 3000
    time.sleep(0.6)
    client.head_object(Bucket=bucket, Key="a/b c.png")
    assert proxy.fate.counts() == {"expired": 2, "skewed": 1}


def test_a_server_that_is_away_is_a_reset(s3_server):
    with FaultProxy("http://127.0.0.1:9", Faults()) as proxy:
        settings = Config(retries={"total_max_attempts": 1})
        with pytest.raises(boto.ConnectionClosedError):
            s3_server.client(endpoint_url=proxy.endpoint_url, config=settings).list_buckets()


def test_a_watcher_sees_requests_after_the_server_did_them(behind, s3_server):
    proxy, client, bucket = behind(Faults())
    seen = []
    proxy.watchers.append(lambda request, _: seen.append((request.method, request.key, stored(s3_server, bucket))))
    client.put_object(Bucket=bucket, Key="new", Body=b"1")
    assert seen == [("PUT", "new", ["a/b c.png", "new"])]


def test_the_same_seed_does_the_same_in_any_order():
    rates = dict.fromkeys(RATES, 0.05)
    keys = [f"{i}.png" for i in range(300)]

    def befallen(seed, order, run="20260102T030405678Z-abcd"):
        fate = Fate(Faults(seed=seed, rates=rates))
        asked = {key: fate.befalls("GET", key)[0] for key in order}
        return [asked[key] for key in keys], fate.befalls("PUT", f"_translate/runs/{run}/plan.json")[0]

    assert befallen(7, keys) == befallen(7, keys[::-1], "20270102T030405678Z-0000")
    assert befallen(7, keys) != befallen(8, keys)
    assert set(befallen(7, keys)[0]) == {None, *RATES} - {"lost_ack"}


def test_faults_can_be_aimed():
    fate = Fate(Faults(rates={"lost_ack": 1.0}, keys=r"plan\.json$", first=1))
    asked = [("PUT", "a.png"), ("PUT", "x/plan.json"), ("PUT", "x/plan.json"), ("PUT", "y/plan.json")]
    assert [fate.befalls(*each)[0] for each in asked] == [None, "lost_ack", None, "lost_ack"]


def test_plain_http_clients_are_served_too(behind):
    proxy, _, bucket = behind(Faults())
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{proxy.endpoint_url}/{bucket}/a")
