"""A large file from a web server onto the local disk: resumed where the connection broke, refused where it is wrong."""

from __future__ import annotations

import hashlib
import http.client
import random
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from translate.errors import DataError
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

TRIES = 6
"""In a row, without the file having become longer."""
FIRST_PAUSE_S = 0.5
"""Before the second try; it doubles, up to half a minute."""
TIMEOUT_S = 30.0
MAX_BYTES = 64 * 1024**3
_CHUNK_BYTES = 1024 * 1024
_MB = 1_000_000
_WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}


class _BrokenError(Exception):
    """The connection broke, or the server is busy; trying again may help."""


@dataclass
class _Partial:
    """A file that is on its way."""

    url: str
    path: Path
    first_bytes: bytes
    version: str = ""
    """The server's own word for the content, so that two files are never glued together."""
    total: int | None = None

    @property
    def here(self) -> int:
        """Bytes on the disk."""
        return self.path.stat().st_size if self.path.exists() else 0


def download(
    url: str, path: Path, *, first_bytes: bytes, first_pause_s: float = FIRST_PAUSE_S, report: Listener = silent
) -> str:
    """Get ``url`` (http or https) into ``path``; returns the file's SHA-256 in hexadecimal.

    A broken connection is resumed with a range request; a server without ranges starts over. ``first_bytes`` is what
    such a file begins with. Raises `DataError`: not there, not such a file, too large for the disk, or broken again and
    again.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise DataError(f"{url!r} is no web address; expected http:// or https://")
    partial = _Partial(url, path, first_bytes)
    path.unlink(missing_ok=True)
    longest, failures = 0, 0
    while True:
        try:
            _go_on(partial, report)
            break
        except _BrokenError as error:
            failures = 0 if partial.here > longest else failures + 1
            longest = max(longest, partial.here)
            if failures >= TRIES:
                raise DataError(f"{url} could not be read ({error}): gave up after {TRIES} tries with "
                                f"{longest:,} bytes; try later, or name a mirror with --base-url") from error
            pause_s = min(first_pause_s * 2 ** max(failures - 1, 0), 30.0)
            report(Progress(partial.here // _MB, _in_mb(partial.total), "MB", f"{error}; trying again"))
            time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries, guards nothing
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _go_on(partial: _Partial, report: Listener) -> None:
    """One request for what is still missing; raises `_BrokenError` if it did not get to the end."""
    headers = {"User-Agent": "translate", "Accept-Encoding": "identity"}
    if partial.here and partial.version:
        headers |= {"Range": f"bytes={partial.here}-", "If-Range": partial.version}
    request = urllib.request.Request(partial.url, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.path.unlink(missing_ok=True)
        elif error.code not in _WORTH_ANOTHER_TRY:
            raise DataError(f"{partial.url}: the server answers {error.code} {error.reason}; "
                            "check the name, or name another place with --base-url") from error
        raise _BrokenError(f"the server answers {error.code} {error.reason}") from error
    except http.client.InvalidURL as error:
        raise DataError(f"{partial.url!r} is no web address ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_words(error)) from error
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {partial.here}-"):
            partial.path.unlink()
            raise _BrokenError("the server sent another range than the one asked for")
        _accept(partial, response, resumed=resumed)
        try:
            with partial.path.open("ab" if resumed else "wb") as file:
                _receive(partial, response, file, report)
        except OSError as error:
            raise DataError(f"{partial.path} can't be written ({error}); make room, or set TMPDIR to a folder that "
                            "has some") from error
    if partial.total is not None and partial.here < partial.total:
        raise _BrokenError(f"the connection ended {partial.total - partial.here:,} bytes early")


def _accept(partial: _Partial, response: http.client.HTTPResponse, *, resumed: bool) -> None:
    """Read the headers; refuse a web page, and more than may be written, before reading any of it."""
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DataError(f"{partial.url}: the server sent a web page ({kind}), not an archive; "
                        "name another place with --base-url")
    etag = response.headers.get("ETag", "")
    partial.version = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    length = response.headers.get("Content-Length")
    missing = int(length) if length is not None and length.isdecimal() else None
    partial.total = None if missing is None else missing + (partial.here if resumed else 0)
    free = shutil.disk_usage(partial.path.parent).free + (0 if resumed else partial.here)
    if missing is not None and missing > free:
        raise DataError(f"{partial.url} needs {missing:,} bytes and {partial.path.parent} has {free:,} left; make "
                        "room, or set TMPDIR to a folder that has it")
    _check_size(partial, partial.total or 0)


def _receive(partial: _Partial, response: http.client.HTTPResponse, file: IO[bytes], report: Listener) -> None:
    here = file.tell()
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(_words(error)) from error
        if not chunk:
            return
        if here == 0 and not chunk.startswith(partial.first_bytes[: len(chunk)]):
            raise DataError(f"{partial.url}: what the server sent is not the archive that the name promises; it begins "
                            f"with {chunk[:40]!r}")
        file.write(chunk)
        here += len(chunk)
        _check_size(partial, here)
        report(Progress(here // _MB, _in_mb(partial.total), "MB"))


def _check_size(partial: _Partial, size_bytes: int) -> None:
    if size_bytes > MAX_BYTES:
        raise DataError(f"{partial.url} is larger than the {MAX_BYTES:,} bytes that are read at most")


def _in_mb(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else size_bytes // _MB


def _words(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error) or type(error).__name__
