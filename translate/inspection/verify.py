"""Whether outputs are what their runs wrote: each picture against the digest in the ledger, and its marks.

The ledger decides what is unaltered. Away from it a signature does (`translate.images.credentials`); a mark
alone (`translate.images.mark`) is a claim. Records are held in memory, about 500 bytes a picture; pictures are
read a few at a time.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, get_args

from translate.errors import AccessError, ItemError, NotFoundError, UsageError
from translate.images.codec import has_image_extension
from translate.images.credentials import read_credentials
from translate.images.mark import read_mark
from translate.progress import Progress
from translate.records import layout
from translate.records.history import is_finished, known_plan, read_ledger, read_runs
from translate.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.images.credentials import Credentials
    from translate.images.mark import Mark
    from translate.progress import Listener
    from translate.stores.contract import ObjectInfo, ObjectStore

State = Literal["unaltered", "altered", "unmarked", "missing", "signed", "marked", "not_ours"]
STATES: tuple[State, ...] = get_args(State)
FAULTS: tuple[State, ...] = ("altered", "unmarked", "missing")
"""States of a picture that make `translate verify` fail."""

READS_AT_ONCE = 16
"""How many pictures are read at the same time."""
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says about one output."""

    run: str
    source: str
    """URL of the input and the source's key in it."""
    digest: str
    size_bytes: int


@dataclass
class Records:
    """The outputs of all runs at a destination. If several runs wrote the same output, the last one counts."""

    outputs: dict[str, Recorded] = field(default_factory=dict)
    """By output key."""
    unfinished: list[str] = field(default_factory=list)
    """Names of runs that are not finished: they may have written pictures that are not in a ledger yet."""
    replaced: int = 0
    """If one run was asked for: how many of its outputs later runs have written anew."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of verifying one picture."""

    key: str
    state: State
    """``unaltered``: the bytes that a run recorded. ``altered``: others. ``unmarked``: no mark says what made
    it. ``missing``: recorded, but not there. Without a record to hold it against, ``signed``: the bytes that
    somebody signed, as our work; ``marked``: says that it is ours. ``not_ours``: recorded by no run, not read; or
    signed by others as their work."""
    why: str = ""
    mark: Mark | None = None
    credentials: Credentials | None = None
    recorded: Recorded | None = None


def output_above(url: str, endpoint_url: str | None = None) -> tuple[ObjectStore, str] | None:
    """The run's output that ``url`` (absolute) is or lies in, and the rest of ``url`` as a key there.

    The nearest place with runs' records counts; None if there is none, or above it we may not look. Raises
    `StoreError`.
    """
    start = url.find("://") + 3 if "://" in url else 0
    parts = url[start:].removesuffix("/").split("/")
    for count in range(len(parts), 0, -1):
        store = open_store(url[:start] + "/".join(parts[:count]) + "/", endpoint_url=endpoint_url)
        try:
            if next(store.list(layout.RUNS), None) is not None:
                return store, "/".join(parts[count:])
        except AccessError:
            if count == len(parts):
                raise
            return None
    return None


def read_records(store: ObjectStore, prefix: str, listener: Listener, *, only_run: str = "") -> Records:
    """What the ledgers say of the outputs whose key starts with ``prefix``, of all runs or of one.

    Raises as `read_runs` does, and `UsageError` if there is no such run.
    """
    records = Records()
    if only_run:
        known_plan(store, only_run)
    for count, record in enumerate(read_runs(store), start=1):
        listener(Progress(count, None, "runs"))
        run = record.run
        wanted = only_run in ("", run)
        if wanted and not is_finished(store, run):
            records.unfinished.append(run)
        for entry in (entry for _, entries in read_ledger(store, run) for entry in entries):
            key = entry.output_key
            if entry.outcome == "ok" and key.startswith(prefix):
                if wanted:
                    source = f"{record.input_url.rstrip('/')}/{entry.key}"
                    records.outputs[key] = Recorded(run, source, entry.digest, entry.size_bytes)
                elif records.outputs.pop(key, None) is not None:
                    records.replaced += 1
    return records


def verify(
    store: ObjectStore, prefix: str, records: Records, listener: Listener, *, recorded_only: bool = False
) -> Iterator[Verified]:
    """Every picture that is there or should be, under a prefix of a run's output; missing ones come last.

    With ``recorded_only`` pictures that the records do not name are left out.
    """
    missing = set(records.outputs)
    pictures = (
        info for info in store.list(prefix)
        if not info.key.startswith(layout.RESERVED) and has_image_extension(info.key)
        and (info.key in records.outputs or not recorded_only)
    )
    done = 0
    with ThreadPoolExecutor(READS_AT_ONCE, "read") as threads:
        while batch := list(islice(pictures, _BATCH)):
            missing.difference_update(info.key for info in batch)
            for found in threads.map(lambda info: _check(store, info, records.outputs.get(info.key)), batch):
                done += found.recorded is not None
                listener(Progress(done, len(records.outputs), "pictures"))
                yield found
    for key in sorted(missing):
        done += 1
        listener(Progress(done, len(records.outputs), "pictures"))
        yield _missing(key, records.outputs[key])


def verify_one(store: ObjectStore, key: str, recorded: Recorded | None) -> Verified:
    """Verify one picture, whether it is recorded or not.

    Raises `UsageError` if it is neither recorded nor there, `ItemError` if it is not recorded and no image.
    """
    try:
        data = store.get(key).data
    except NotFoundError as error:
        if recorded is None:
            raise UsageError(f"there is no picture {key!r} in {store.url}; a folder's name ends in /") from error
        return _missing(key, recorded)
    if recorded is None:
        return _claimed(key, data)
    found = _judge(key, data, recorded)
    if found.state == "altered":  # what it still says of itself
        with suppress(ItemError):
            found = replace(found, mark=read_mark(data), credentials=read_credentials(data))
    return found


def _claimed(key: str, data: bytes) -> Verified:
    """What a picture says of itself, where no run's record is at hand."""
    mark, signed = read_mark(data), read_credentials(data)
    if signed is not None and signed.altered:
        return Verified(key, "altered", signed.fault, mark, signed)
    if signed is not None and signed.mark is not None and not signed.fault:
        if signed.mark != mark:
            return Verified(key, "altered", "its XMP and its Content Credentials name different origins", mark, signed)
        return Verified(key, "signed", "unaltered since; no run's record is at hand", mark, signed)
    if mark is not None:
        why = "it says so itself; no run's record is at hand to hold it against"
        return Verified(key, "marked", why, mark, signed)
    if signed is not None and not signed.fault:
        return Verified(key, "not_ours", f"it is the work of {signed.program}", credentials=signed)
    return Verified(key, "unmarked", "nothing in it says what made it", credentials=signed)


def _missing(key: str, recorded: Recorded) -> Verified:
    return Verified(key, "missing", f"run {recorded.run} wrote it", recorded=recorded)


def _check(store: ObjectStore, info: ObjectInfo, recorded: Recorded | None) -> Verified:
    key = info.key
    if recorded is None:
        return Verified(key, "not_ours", "no run here recorded it")
    if info.size_bytes != recorded.size_bytes:
        why = f"has {info.size_bytes:,} bytes; run {recorded.run} wrote {recorded.size_bytes:,}"
        return Verified(key, "altered", why, recorded=recorded)
    try:
        return _judge(key, store.get(key).data, recorded)
    except NotFoundError:
        return _missing(key, recorded)


def _judge(key: str, data: bytes, recorded: Recorded) -> Verified:
    if "sha256:" + hashlib.sha256(data).hexdigest() != recorded.digest:
        return Verified(key, "altered", f"other bytes than run {recorded.run} wrote", recorded=recorded)
    mark = read_mark(data)
    if mark is None:
        why = f"as run {recorded.run} wrote it, by a version that did not mark"
        return Verified(key, "unmarked", why, recorded=recorded)
    return Verified(key, "unaltered", mark=mark, credentials=read_credentials(data), recorded=recorded)
