"""A proxy between a job and a real S3 server that does to requests what networks and stores do to them.

Headers pass unchanged, Host among them, because a signature covers them: the server finds the proxy's address signed
and in the Host header, which is all that it compares. Only where conditions are taken off is a request signed anew.

    with FaultProxy(server.endpoint_url, Faults(seed=3, rates={"reset": 0.01})) as proxy:
        ...  # proxy.endpoint_url, proxy.fate.counts()
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.chaos.faults import LOST_ACK, Fate, Faults
from tests.chaos.messages import BrokenOffError, Message, read_body, read_head
from tests.s3_server import ENVIRONMENT

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

HOUR_S = 3600
_CONDITIONS = ("If-None-Match", "If-Match")
_REFUSALS = {
    "slow_down": ("503 Slow Down", "SlowDown", "Please reduce your request rate."),
    "expired": ("403 Forbidden", "ExpiredToken", "The provided token has expired."),
    "skewed": ("403 Forbidden", "RequestTimeTooSkewed",
               "The difference between the request time and the current time is too large."),
}  # fmt: skip
_BEFORE = ("reset", "down")
"""Faults that keep a put from reaching the server."""


class FaultProxy:
    """``with FaultProxy(upstream, faults) as proxy`` listens at ``proxy.endpoint_url``; a thread a connection."""

    def __init__(self, upstream: str, faults: Faults) -> None:
        """``upstream``: the server's endpoint URL."""
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self.fate = Fate(faults)
        self.watchers: list[Callable[[Message, int], None]] = []
        """Called with every request, and the client's port, before it is answered; a put is done by then."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client, address[1]), daemon=True).start()

    def _serve(self, client: socket.socket, port: int) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream = _Upstream(self._upstream)
        with contextlib.closing(upstream), client, client.makefile("rb") as stream:
            # Whatever breaks on either side, the client sees its connection end.
            with contextlib.suppress(OSError, BrokenOffError):
                while (request := read_head(stream)) is not None:
                    if request.get("Expect"):
                        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                        request.set("Expect", None)
                    read_body(stream, request)
                    if not self._answer(client, port, request, upstream):
                        break
            # Any early end is a reset rather than a polite one, unless all was said.
            _reset_when_closed(client)

    def _answer(self, client: socket.socket, port: int, request: Message, upstream: _Upstream) -> bool:
        """Do what is to be done with a request; returns whether the connection goes on."""
        kind, chance = self.fate.befalls(request.method, request.key)
        if kind in _REFUSALS:
            answer = _refusal(kind, request, chance)
        elif kind == "down" or (kind in _BEFORE and request.method == "PUT"):
            return False
        else:
            if self.fate.faults.careless and request.method == "PUT":
                self._take_conditions_off(request)
            answer = upstream.ask(request)
        for watch in self.watchers:
            watch(request, port)
        if kind in (None, *_REFUSALS):
            client.sendall(answer.head() + answer.body)
            return True
        return self._spoil(kind, client, answer, chance)

    def _spoil(self, kind: str, client: socket.socket, answer: Message, chance: random.Random) -> bool:
        """Send an answer as a fault has it; returns whether the connection goes on."""
        whole = answer.head() + answer.body
        half = len(whole) - (len(answer.body) + 1) // 2 if answer.body else 0
        if kind == "corrupt":
            if answer.status == "200" and answer.body:
                spoiled = bytearray(answer.body)
                spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
                answer.body = bytes(spoiled)
            client.sendall(answer.head() + answer.body)
            return True
        if kind == "wrong_date":
            _set_clock(answer, chance)
            client.sendall(answer.head() + answer.body)
            return True
        if kind == "stall":
            client.sendall(whole[:half])
            time.sleep(chance.uniform(*self.fate.faults.stall_s))
            client.sendall(whole[half:])
            return True
        if kind == LOST_ACK:
            return False
        client.sendall(whole[:half])
        if kind == "hang":
            time.sleep(self.fate.faults.hang_s)
        elif kind == "short":  # a polite end, too early
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.05)
        return False

    def _take_conditions_off(self, request: Message) -> None:
        if not any(request.get(name) for name in _CONDITIONS):
            return
        for name in _CONDITIONS:
            request.set(name, None)
        self.fate.note("stripped", request.method, request.key)
        _sign(request)


class _Upstream:
    """One connection to the server, opened when it is needed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._stream: BinaryIO

    def ask(self, request: Message) -> Message:
        """The server's answer. Raises `OSError` or `BrokenOffError` if it has none."""
        kept = self._socket is not None
        try:
            return self._ask(request)
        except (OSError, BrokenOffError):
            self.close()
            if not kept:
                raise
        return self._ask(request)  # a kept connection may just have been too old

    def _ask(self, request: Message) -> Message:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb")
        self._socket.sendall(request.head() + request.body)
        answer = read_head(self._stream)
        if answer is None:
            raise BrokenOffError("no answer")
        read_body(self._stream, answer, to=request.method)
        if (answer.get("Connection") or "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._stream.close()
            self._socket.close()
            self._socket = None


def _refusal(kind: str, request: Message, chance: random.Random) -> Message:
    status, code, message = _REFUSALS[kind]
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
        "<RequestId>chaos</RequestId></Error>"
    ).encode()
    answer = Message(f"HTTP/1.1 {status}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    answer.body = b"" if request.method == "HEAD" else body
    answer.set("Date", formatdate(usegmt=True))
    if kind == "skewed":
        _set_clock(answer, chance)
    return answer


def _set_clock(answer: Message, chance: random.Random) -> None:
    """An answer of a server whose clock is an hour off."""
    answer.set("Date", formatdate(time.time() + chance.choice((-HOUR_S, HOUR_S)), usegmt=True))


def _sign(request: Message) -> None:
    """Sign anew what was changed on the way."""
    url = f"http://{request.get('Host')}{request.target}"
    request.set("Authorization", None)
    request.set("X-Amz-Date", None)
    signed = AWSRequest(request.method, url, headers=dict(request.headers), data=request.body)
    keys = Credentials(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
    S3SigV4Auth(keys, "s3", ENVIRONMENT["AWS_DEFAULT_REGION"]).add_auth(signed)
    request.headers = [(name, str(value)) for name, value in signed.headers.items()]


def _reset_when_closed(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
