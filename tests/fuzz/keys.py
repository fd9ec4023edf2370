"""Odd keys against stores and records: nothing lies outside the folder, and what was put is listed as it was put."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.s3_server import ENVIRONMENT, UNWANTED, S3Server
from translate.errors import ItemError, NotFoundError
from translate.images.codec import has_image_extension
from translate.records.ledger import Entry, from_lines, to_lines
from translate.records.manifest import Item, Unit, read_units, target, write_units
from translate.stores import open_store
from translate.stores.file import FileStore
from translate.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from translate.stores.contract import ObjectStore

EXAMPLES = 50
"""Lists of keys of one kind in a row."""
ENOUGH = 20
"""Findings that end it."""
_SEGMENTS = (
    "..", ".", "", "...", "~", "-rf", "_translate", "lease.json", ".translate-tmp-x", ".translate-tmp-lock", "etc",
    "passwd", "CON", "nul.png", "a:b", "c:\\x", "\\\\host", "end.", "end ", " ", "a\nb", "a\0b", "\x7f", "\ud800",
    "\udcff", "%2e%2e", "%2F", "a+b&c=d?e#f;g", "é", "e\u0301", "\u202egpj", "日本", "😀",
    "k" * 255, "k" * 256, "é" * 128,
    "a", "b", "A", "a.png", "a.JPG", "*", "?", "'", '"', "<x>", "|", "$(x)", "`x`",
)
_SEGMENT = st.sampled_from(_SEGMENTS) | st.text(st.characters(codec=None), max_size=12)
KEYS = st.one_of(
    st.lists(_SEGMENT, min_size=1, max_size=6).map("/".join),
    st.builds(lambda count, segment: "/".join([segment or "x"] * count), st.integers(1, 300), _SEGMENT),
    st.text(st.characters(codec=None), max_size=1100),
    st.sampled_from(["k" * 900, "/etc/passwd", "../../etc/passwd", "a/../../b", "file:///etc/passwd", "s3://b/k"]),
)
PUTS = st.lists(st.tuples(KEYS, st.binary(max_size=8)), max_size=12)


@dataclass
class Fuzzed:
    """What was tried and what was found."""

    examples: int = 0
    keys: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)

    def words(self) -> str:
        """All of it, on some lines."""
        return "\n".join([f"{self.examples} lists of keys, {self.keys} keys put, {self.refused} of them refused",
                          *(self.findings or ["nothing found"])])


def fuzz(seconds: float, first_seed: int, server: S3Server | None = None) -> Fuzzed:
    """Try odd keys for so long, on folders, on a real S3 server and in the records."""
    if server is None:
        for name in UNWANTED:
            os.environ.pop(name, None)
        os.environ.update(ENVIRONMENT)
        with S3Server() as started:
            return fuzz(seconds, first_seed, started)
    found, number, until = Fuzzed(), first_seed * 3_000_000, time.monotonic() + seconds
    bucket = server.make_bucket()
    checks: list[Callable[[list[tuple[str, bytes]]], None]] = [
        lambda puts: check_folder(puts, found),
        lambda puts: check_bucket(puts, server, bucket, found),
        lambda puts: check_records([key for key, _ in puts]),
    ]
    while time.monotonic() < until and len(found.findings) < ENOUGH:
        check = checks[number % len(checks)]
        number += 1
        try:
            _try(check, number, until, found)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            found.findings.append(f"seed {number}: {traceback.format_exc()}")
    return found


def _try(check: Callable[[list[tuple[str, bytes]]], None], number: int, until: float, found: Fuzzed) -> None:
    @seed(number)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
              suppress_health_check=list(HealthCheck))
    @given(PUTS)
    def tried(puts: list[tuple[str, bytes]]) -> None:
        if time.monotonic() < until:
            found.examples += 1
            check(puts)

    tried()


def check_folder(puts: list[tuple[str, bytes]], found: Fuzzed) -> None:
    """In a folder: as a store has to, and all that is around it stays as it is."""
    with tempfile.TemporaryDirectory() as top:
        store = FileStore(Path(top) / "deep" / "out")
        store.put("first", b"")
        store.delete("first")
        (Path(top) / "deep" / "beside.png").write_bytes(b"precious")
        before = dict(_around(top, store.root))

        def look() -> None:
            assert dict(_around(top, store.root)) == before, "something was written outside of the folder"

        _check_store(store, puts, found, look)
        look()


def _around(top: str, inner: Path) -> Iterator[tuple[str, bytes]]:
    for folder, folders, files in os.walk(top):
        path = Path(folder)
        if path == inner:
            folders.clear()
            continue
        yield folder, b""
        for name in files:
            yield str(path / name), (path / name).read_bytes()


def check_bucket(puts: list[tuple[str, bytes]], server: S3Server, bucket: str, found: Fuzzed) -> None:
    """In a bucket of the real server; without keys that this server tidies up (SeaweedFS does), and those in so many
    folders that listing them, folder by folder on this server, takes all the time."""
    store = open_store(f"s3://{bucket}/{time.monotonic_ns()}/", endpoint_url=server.endpoint_url)
    _check_store(store, [put for put in puts if not _is_tidied_up(put[0]) and put[0].count("/") < 20], found)


def _is_tidied_up(key: str) -> bool:
    return key.startswith("/") or "//" in key or "\\" in key


def _check_store(
    store: ObjectStore, puts: list[tuple[str, bytes]], found: Fuzzed, look: Callable[[], None] = lambda: None
) -> None:
    """Put all, ``look``, list and get them, delete them."""
    there: dict[str, bytes] = {}
    refused: set[str] = set()
    for key, data in puts:
        found.keys += 1
        try:
            store.put(key, data)
        except ItemError as error:
            if error.code != "output.key_refused":
                raise
            found.refused += 1
            refused.add(key)
        else:
            there[key] = data
    look()
    _check_content(store, there)
    for key in refused - there.keys():
        try:
            store.get(key)
        except NotFoundError:
            store.delete(key)
        else:
            raise AssertionError(f"{key!a} was refused and is there")
    _check_content(store, there)
    for key in there:
        store.delete(key)
    _check_content(store, {})


def _check_content(store: ObjectStore, there: Mapping[str, bytes]) -> None:
    assert [info.key for info in store.list()] == sorted(there)
    for key, data in there.items():
        assert store.get(key).data == data, ascii(key)
        assert store.head(key).size_bytes == len(data), ascii(key)


def check_records(keys: list[str]) -> None:
    """In plan and ledger: each key comes out as it went in, and its output's key has the format's extension."""
    images = list(dict.fromkeys(key if has_image_extension(key) else f"{key}a.png" for key in keys))
    items = tuple(Item(key, "etag", 1, *target(key, "keep")) for key in images)
    assert all(has_image_extension(item.output_key) for item in items)
    assert [target(key, "webp")[0].rpartition("/")[0] for key in images] == [key.rpartition("/")[0] for key in images]
    entries = [Entry(item.key, item.output_key, item.etag, "ok", message=item.key) for item in items]
    assert list(from_lines(to_lines(entries))) == entries
    if items:
        store = MemoryStore(f"records-{time.monotonic_ns()}")
        write_units(store, "run", [Unit(0, items)])
        assert [unit.items for unit in read_units(store, "run")] == [items]
