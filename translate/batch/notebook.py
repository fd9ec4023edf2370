"""What a plan needs to know of ten million keys, on disk instead of in memory: a temporary SQLite database.

It has no name (SQLite removes the file as soon as it is open) and grows on disk only past `CACHE_KIB`, so a small
plan touches no disk and a killed one leaves nothing. About 150 bytes a key of the history or the plan, in the folder
``TMPDIR``, else ``/var/tmp``. Keys are kept as bytes, since they may hold broken Unicode.
"""

from __future__ import annotations

import sqlite3
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from translate.errors import StoreError
from translate.progress import Progress, silent
from translate.records.history import is_finished, read_ledger, read_plan, run_names
from translate.records.manifest import Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from translate.progress import Listener
    from translate.provenance import Work
    from translate.records.ledger import Entry, Outcome
    from translate.stores.contract import ObjectInfo, ObjectStore

CACHE_KIB = 64 * 1024
"""Memory for the pages of the database."""
_BATCH = 10_000
"""How many rows are held in memory and written together."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE past (key BLOB PRIMARY KEY, etag TEXT, output BLOB, output_etag TEXT, outcome TEXT, code TEXT,
work INTEGER) WITHOUT ROWID;
CREATE TABLE outputs (key BLOB PRIMARY KEY, etag TEXT) WITHOUT ROWID;
CREATE TABLE planned (number INTEGER PRIMARY KEY, key BLOB, etag TEXT, size_bytes INTEGER, output BLOB, format TEXT);
"""


@dataclass(frozen=True, slots=True)
class Past:
    """The latest outcome of a source key."""

    source_etag: str
    output_key: str
    output_etag: str
    """ETag of the output as its run recorded it; empty if there was no output."""
    outcome: Outcome
    code: str
    work_digest: str


class Notebook:
    """The past, the outputs that exist, and the items to do. For one thread at a time.

    Every method raises `StoreError` if the temporary folder is full.
    """

    def __init__(self) -> None:
        self.works: dict[str, Work] = {}
        """The works of earlier runs, by digest; that of the latest run is last."""
        self._digests: list[str] = []
        """Their digests; the table holds the index, as a digest is longer than most keys."""
        self.finished_to = ""
        """Name of a run: it and all before it are finished and noted here. Later ones have to be read, maybe again."""
        self.has_unfinished = False
        """Whether a run began and did not end: it may have written outputs that it did not record."""
        with _room():
            self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._rows.executescript(f"PRAGMA cache_size = -{CACHE_KIB};{_TABLES}BEGIN")
        weakref.finalize(self, self._rows.close)

    def note_past(self, entries: Iterable[Entry], work: Work, work_digest: str) -> None:
        """Note the outcomes of the next run; skipped items say nothing new and are left out."""
        if work_digest not in self.works:
            self._digests.append(work_digest)
        self.works[work_digest] = self.works.pop(work_digest, work)  # to the end
        number = self._digests.index(work_digest)
        self._write("INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?, ?, ?)", (
            (_pack(entry.key), entry.source_etag, None if entry.output_key == entry.key else _pack(entry.output_key),
             entry.output_etag, entry.outcome, entry.code, number)
            for entry in entries if entry.outcome != "skipped"
        ))

    def forget_plan(self) -> None:
        """Forget all but the past, to make another plan."""
        with _room():
            self._rows.execute("DELETE FROM outputs")
            self._rows.execute("DELETE FROM planned")

    def note_outputs(self, infos: Iterable[ObjectInfo]) -> None:
        """Note what exists at the destination."""
        self._write("INSERT OR IGNORE INTO outputs VALUES (?, ?)", ((_pack(info.key), info.etag) for info in infos))

    def note_planned(self, items: Iterable[Item]) -> None:
        """Add items to do, after those that are there."""
        self._write("INSERT INTO planned VALUES (NULL, ?, ?, ?, ?, ?)", (
            (_pack(item.key), item.etag, item.size_bytes, _pack(item.output_key), item.format) for item in items
        ))

    def has_past(self) -> bool:
        """Whether earlier runs have recorded anything."""
        return self._one("SELECT 1 FROM past LIMIT 1") is not None

    def past(self, key: str) -> Past | None:
        """The latest outcome of a source; None if there is none."""
        columns = "etag, output, output_etag, outcome, code, work"
        row = self._one(f"SELECT {columns} FROM past WHERE key = ?", _pack(key))  # noqa: S608 - columns of ours
        if row is None:
            return None
        etag, output, output_etag, outcome, code, number = row
        output_key = key if output is None else _unpack(output)
        return Past(etag, output_key, output_etag, outcome, code, self._digests[number])

    def output_etag(self, key: str) -> str | None:
        """The ETag of what exists at the destination under a key; None if nothing does."""
        row = self._one("SELECT etag FROM outputs WHERE key = ?", _pack(key))
        return None if row is None else str(row[0])

    def planned(self) -> Iterator[Item]:
        """The items to do, in the order in which they came."""
        with _room():
            rows = self._rows.execute("SELECT key, etag, size_bytes, output, format FROM planned ORDER BY number")
            for key, etag, size_bytes, output, format_ in rows:
                yield Item(_unpack(key), etag, size_bytes, _unpack(output), format_)

    def thin_out(self, count: int) -> tuple[int, int]:
        """Keep ``count`` items, evenly spread, and forget the others; returns how many were kept, and their bytes."""
        with _room():
            (before,) = self._rows.execute("SELECT count(*) FROM planned").fetchone()
            if before > count:
                # Numbers run from 1: of the steps of one item, those are kept in which count * number / before, shifted
                # so that the spread is as far from the first as from the last item, reaches another whole number.
                self._rows.execute(
                    "DELETE FROM planned WHERE (number * ?1 + ?2 / 2) / ?2 = ((number - 1) * ?1 + ?2 / 2) / ?2",
                    (count, before),
                )
            kept, size_bytes = self._rows.execute("SELECT count(*), total(size_bytes) FROM planned").fetchone()
        return kept, int(size_bytes)

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        rest = iter(rows)
        while batch := list(islice(rest, _BATCH)):
            with _room():
                self._rows.executemany(statement, batch)

    def _one(self, query: str, *values: bytes) -> Any:  # noqa: ANN401 - a row has a type for each column
        with _room():
            return self._rows.execute(query, values).fetchone()


def note_history(store: ObjectStore, notebook: Notebook, listener: Listener = silent) -> None:
    """Note the ledgers of all runs at a destination, in their order: the later outcome counts.

    Finished runs that the notebook has already are not read again.
    """
    done, unbroken = 0, True
    notebook.has_unfinished = False  # those that did not end are looked at again each time
    for run in run_names(store, after=notebook.finished_to):
        finished = is_finished(store, run)
        unbroken = unbroken and finished
        if (record := read_plan(store, run)) is None:
            continue
        notebook.has_unfinished = notebook.has_unfinished or not finished
        for _, entries in read_ledger(store, run):
            notebook.note_past(entries, record.work, record.work_digest)
            done += len(entries)
            listener(Progress(done, None, "outcomes", "reading what earlier runs did"))
        if unbroken:
            notebook.finished_to = run


def _pack(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _unpack(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"the plan's notes could not be written to the temporary folder ({error}): it needs about 150 bytes for "
            "each key of the input and of earlier runs. Make room, or set TMPDIR to a folder that has it"
        ) from error
