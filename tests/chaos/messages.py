"""HTTP/1.1 messages on a socket, as much of it as boto3 and an S3 server use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from typing import BinaryIO

BODILESS = ("204", "304")


class BrokenOffError(Exception):
    """The other side hung up in the middle of a message."""


@dataclass
class Message:
    """A request or an answer, whole."""

    start: str
    """``GET /bucket/key HTTP/1.1`` or ``HTTP/1.1 200 OK``."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """In order, as they were written."""
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """A header's value, whatever its case."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def set(self, name: str, value: str | None) -> None:
        """Replace a header; None removes it."""
        self.headers = [each for each in self.headers if each[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def head(self) -> bytes:
        """Everything before the body."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @property
    def method(self) -> str:
        """Of a request."""
        return self.start.partition(" ")[0]

    @property
    def target(self) -> str:
        """Path and query of a request, as they were sent."""
        return self.start.split(" ")[1]

    @property
    def key(self) -> str:
        """The object that a request is about; empty for the bucket."""
        return unquote(self.target.partition("?")[0].lstrip("/").partition("/")[2])

    @property
    def status(self) -> str:
        """Of an answer."""
        return self.start.split(" ")[1]


def read_head(stream: BinaryIO) -> Message | None:
    """The next message without its body; None if the other side has nothing more to say."""
    start = stream.readline()
    if not start:
        return None
    message = Message(_text(start))
    while line := _text(stream.readline()):
        name, _, value = line.partition(":")
        message.headers.append((name, value.strip()))
    return message


def read_body(stream: BinaryIO, message: Message, *, to: str = "") -> None:
    """Read the body of a message, or of the answer ``to`` a method; from then on its length stands in the head."""
    if to == "HEAD" or (to and message.status in BODILESS):
        return
    if (message.get("Transfer-Encoding") or "").lower() == "chunked":
        message.body = b"".join(_chunks(stream))
        message.set("Transfer-Encoding", None)
        message.set("Content-Length", str(len(message.body)))
    else:
        message.body = _exactly(stream, int(message.get("Content-Length") or 0))


def _chunks(stream: BinaryIO) -> list[bytes]:
    chunks = []
    while size := int(_text(stream.readline()).partition(";")[0], 16):
        chunks.append(_exactly(stream, size))
        stream.readline()
    while _text(stream.readline()):  # trailers
        pass
    return chunks


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise BrokenOffError(f"{len(data)} of {size} bytes")
    return data


def _text(line: bytes) -> str:
    """A line without its end. Raises `BrokenOffError` if the end is missing."""
    if not line.endswith(b"\n"):
        raise BrokenOffError("in the head")
    return line.rstrip(b"\r\n").decode("latin-1")
