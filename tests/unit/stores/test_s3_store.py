"""The S3 store: bodies that break on their way, refusals, settings, and servers that list in key order."""

from __future__ import annotations

import pickle
import socket
import threading
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import botocore.auth
import pytest
from moto import mock_aws

from translate.errors import (
    AccessError,
    ItemError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
    UsageError,
)
from translate.stores import _s3_client, open_store
from translate.stores import s3 as s3_module
from translate.stores.contract import PutMode
from translate.stores.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from s3_server import S3Server

BODY = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    name = s3_server.make_bucket()
    s3_server.client().put_object(Bucket=name, Key="k", Body=BODY)
    return name


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_s3_client, "READ_TIMEOUT_S", 1)
    monkeypatch.setattr(_s3_client, "REQUEST_TRIES", 2)
    monkeypatch.setattr(s3_module, "_pause", lambda _: None)


class Road:
    """A TCP road to the real server that harms the first answers on it, each on a connection of its own."""

    def __init__(self, to_port: int, harm: Callable[[socket.socket, bytes], None], times: int) -> None:
        self._to_port, self._harm, self.left, self.travelled = to_port, harm, times, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                traveller, _ = self._listener.accept()
            except OSError:
                return
            with traveller, socket.create_connection(("127.0.0.1", self._to_port)) as server:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += traveller.recv(65536)
                server.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                answer = b"".join(iter(lambda sock=server: sock.recv(65536), b""))
                self.travelled += 1
                self.left -= 1
                if self.left >= 0:
                    self._harm(traveller, answer)
                else:
                    traveller.sendall(answer)


def cut(traveller: socket.socket, answer: bytes) -> None:
    traveller.sendall(answer[: len(answer) // 2])


def reset(traveller: socket.socket, answer: bytes) -> None:
    traveller.sendall(answer[: len(answer) // 2])
    traveller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def stall(traveller: socket.socket, answer: bytes) -> None:
    traveller.sendall(answer[: len(answer) // 2])
    traveller.settimeout(5)
    traveller.recv(1)  # until the reader gives up and closes


def corrupt(traveller: socket.socket, answer: bytes) -> None:
    traveller.sendall(answer[:-100] + bytes([answer[-100] ^ 1]) + answer[-99:])


@pytest.mark.s3
@pytest.mark.usefixtures("quick")
class TestBrokenBodies:
    @pytest.mark.parametrize(("harm", "times"), [(cut, 2), (reset, 2), (stall, 2), (corrupt, 1)])
    def test_a_body_that_breaks_is_read_whole_in_the_end(
        self, s3_server: S3Server, bucket: str, harm: Callable[[socket.socket, bytes], None], times: int
    ) -> None:
        with Road(s3_server.ports[3], harm, times=times) as road:
            store = S3Store(bucket, endpoint_url=road.endpoint_url)
            assert store.get("k").data == BODY
            assert road.travelled == times + 1

    def test_a_body_that_always_breaks_is_unavailable(self, s3_server: S3Server, bucket: str) -> None:
        with Road(s3_server.ports[3], cut, times=99) as road:
            store = S3Store(bucket, endpoint_url=road.endpoint_url)
            with pytest.raises(UnavailableError, match=road.endpoint_url):
                store.get("k")
            assert road.travelled == s3_module.BODY_TRIES

    def test_a_body_that_is_always_corrupted_costs_one_item(self, s3_server: S3Server, bucket: str) -> None:
        with Road(s3_server.ports[3], corrupt, times=99) as road:
            with pytest.raises(ItemError, match="'k'") as raised:
                S3Store(bucket, endpoint_url=road.endpoint_url).get("k")
            assert raised.value.code == "store.integrity"
            assert road.travelled == 2, "once more, and no more"

    @pytest.mark.parametrize(("right", "wrong"), [
        (b":", b"::"), (b"<Size>", b"<Size>x"), (b"<Key>", b"<Kex>"), (b"Truncated>", b"Truncatee>"), (b"</", b"<\x01"),
        (b"<LastModified>", b"<LastModifiee>"), (b"<ETag>", b"<EUag>"),
    ])
    def test_a_damaged_listing_is_no_fault_of_ours(
        self, s3_server: S3Server, bucket: str, right: bytes, wrong: bytes
    ) -> None:
        def damage(traveller: socket.socket, answer: bytes) -> None:
            head, separator, body = answer.partition(b"\r\n\r\n")
            assert right in body
            closed = (right.replace(b"<", b"</"), wrong.replace(b"<", b"</")) if wrong.endswith(b">") else (b"", b"")
            damaged = body.replace(right, wrong).replace(*closed) if closed[0] else body.replace(right, wrong)
            head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length"))
            traveller.sendall(head + separator + damaged)

        with Road(s3_server.ports[3], damage, times=99) as road, pytest.raises(UnavailableError, match="s3://"):
            list(S3Store(bucket, endpoint_url=road.endpoint_url).list())

    def test_a_refusal_that_breaks_off_is_no_fault_of_ours(self, s3_server: S3Server, bucket: str) -> None:
        def break_refusal(traveller: socket.socket, answer: bytes) -> None:
            assert b" 404 " in answer.splitlines()[0]
            reset(traveller, answer)

        with Road(s3_server.ports[3], break_refusal, times=99) as road, pytest.raises(UnavailableError, match="'none'"):
            S3Store(bucket, endpoint_url=road.endpoint_url).get("none")

    def test_an_object_replaced_between_two_tries_is_not_taken_for_the_first(
        self, s3_server: S3Server, bucket: str
    ) -> None:
        client = s3_server.client()
        client.put_object(Bucket=bucket, Key="moving", Body=BODY)

        def replace_and_cut(traveller: socket.socket, answer: bytes) -> None:
            client.put_object(Bucket=bucket, Key="moving", Body=b"new" + BODY)
            cut(traveller, answer)

        with Road(s3_server.ports[3], replace_and_cut, times=1) as road:
            store = S3Store(bucket, endpoint_url=road.endpoint_url)
            listed = S3Store(bucket, endpoint_url=s3_server.endpoint_url).head("moving")
            with pytest.raises(PreconditionError, match="'moving'"):
                store.get("moving", if_match=listed.etag)


@pytest.mark.s3
class TestRefusals:
    def test_a_wrong_secret_is_named(self, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        store = S3Store(bucket, endpoint_url=s3_server.endpoint_url)
        with pytest.raises(AccessError, match=r"SignatureDoesNotMatch.*Check the credentials") as raised:
            store.get("k")
        assert "hunter2" not in str(raised.value)
        for call in (lambda: store.head("k"), lambda: store.put("k", b""), lambda: list(store.list())):
            with pytest.raises(AccessError):
                call()

    def test_no_credentials_says_what_to_set(
        self, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(AccessError, match="Set AWS_ACCESS_KEY_ID"):
            S3Store(bucket, endpoint_url=s3_server.endpoint_url).get("k")

    def test_an_unknown_profile_is_named(
        self, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
        with pytest.raises(AccessError, match="no-such-profile"):
            list(S3Store(bucket, endpoint_url=s3_server.endpoint_url).list())

    def test_a_clock_that_is_off_is_named(
        self, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        true_time = botocore.auth.get_current_datetime
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: true_time() - timedelta(hours=1))
        with pytest.raises(AccessError, match=r"RequestTimeTooSkewed.*set the clock"):
            S3Store(bucket, endpoint_url=s3_server.endpoint_url).get("k")

    def test_a_missing_bucket_is_named(self, s3_server: S3Server) -> None:
        store = S3Store("never-made", endpoint_url=s3_server.endpoint_url)
        with pytest.raises(NotFoundError, match="no bucket 'never-made' at http://127"):
            list(store.list())
        with pytest.raises(NotFoundError, match="no bucket 'never-made'"):
            store.get("k")

    @pytest.mark.usefixtures("quick", "s3_server")
    def test_a_server_that_is_not_there_is_named_without_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://user:hunter2@127.0.0.1:{port}")
        store = S3Store("bucket")
        for call in (lambda: store.get("k"), lambda: store.put("k", b""), lambda: list(store.list())):
            with pytest.raises(UnavailableError, match=f"http://127.0.0.1:{port}") as raised:
                call()
            assert "hunter2" not in str(raised.value)

    def test_an_endpoint_in_the_environment_that_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "nonsense")
        with pytest.raises(UsageError, match="nonsense"):
            S3Store("bucket").get("k")


@pytest.mark.s3
class TestSettings:
    def test_the_endpoint_comes_from_the_environment(
        self, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
        assert open_store(f"s3://{bucket}/").get("k").data == BODY

    def test_older_servers_can_be_spared_the_checksums(
        self, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        store = S3Store(bucket, endpoint_url=s3_server.endpoint_url)
        store.put("plain", b"x", mode=PutMode.OVERWRITE)
        assert store.get("plain").data == b"x"

    def test_the_content_type_reaches_the_server(self, s3_server: S3Server, bucket: str) -> None:
        S3Store(bucket, endpoint_url=s3_server.endpoint_url).put("t.png", b"", content_type="image/png")
        assert s3_server.client().head_object(Bucket=bucket, Key="t.png")["ContentType"] == "image/png"

    def test_a_used_store_pickles_without_its_client(self, s3_server: S3Server, bucket: str) -> None:
        store = S3Store(bucket, endpoint_url=s3_server.endpoint_url)
        store.head("k")
        assert len(pickle.dumps(store)) < 200

    def test_threads_share_one_client(self, s3_server: S3Server, bucket: str) -> None:
        store = S3Store(bucket, endpoint_url=s3_server.endpoint_url)
        clients = []
        threads = [threading.Thread(target=lambda: clients.append(store._client.boto3())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(clients) == 8
        assert len(set(map(id, clients))) == 1


class TestServersThatListInKeyOrder:
    """As Amazon's do; moto stands for them (SeaweedFS lists folder by folder, see the contract tests)."""

    NAMES = (
        "A",
        "a b",
        "a!/x",
        "a+b%20#c?d&e",
        "a-b",
        "a.jpg",
        "a/../b",
        "a/b",
        "a//b",
        "a0",
        "é",
        "日本/真",
    )

    @pytest.fixture
    def client(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
        with mock_aws():
            import boto3

            client = boto3.client("s3")
            client.create_bucket(Bucket="bucket")
            yield client

    def test_pages_prefixes_and_start_after(self, client: object) -> None:
        names = sorted([*self.NAMES, *(f"n/{n:05d}" for n in range(40))], key=str.encode)
        for name in names:
            client.put_object(Bucket="bucket", Key="in/" + name, Body=b"x")
        client.put_object(Bucket="bucket", Key="inside", Body=b"x")
        store = S3Store("bucket", "in")
        assert [info.key for info in store.list()] == names
        assert [info.key for info in store.list("a/")] == ["a/../b", "a//b", "a/b"]
        assert len(list(store._pages(Prefix="in/"))) > 5
        for start in ("a/", "n/00031", "zz", "日本"):
            assert [info.key for info in store.list(start_after=start)] == [n for n in names if n > start]

    def test_folder_markers_are_no_objects(self, client: object) -> None:
        for key in ("in/", "in/sub/", "in/sub/k"):
            client.put_object(Bucket="bucket", Key=key, Body=b"")
        assert [info.key for info in S3Store("bucket", "in").list()] == ["sub/k"]

    def test_a_server_that_lists_out_of_order_is_not_trusted(self, client: object) -> None:
        for key in ("a", "b"):
            client.put_object(Bucket="bucket", Key=key, Body=b"")
        store = S3Store("bucket")
        pages = list(store._pages(Prefix=""))
        pages[0]["Contents"].reverse()
        store._pages = lambda **_: iter(pages)
        with pytest.raises(StoreError, match="out of order: 'a' after 'b'"):
            list(store.list())
