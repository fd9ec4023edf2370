"""What a store really does: every operation tried on a probe of our own, which is removed again.

That a store takes a condition does not mean that it heeds it: some write all the same and say nothing. So a
condition that must fail is tried, and a race that only one may win.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from translate.doctor.finding import Finding
from translate.errors import AccessError, ItemError, NotFoundError, PreconditionError, StoreError
from translate.stores.contract import IfUnchanged, PutMode
from translate.stores.file import FileStore
from translate.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.doctor.finding import Level
    from translate.stores.contract import ObjectStore

PLACE = "_translate/doctor-"
"""Where the probe lies, in what every output keeps for records."""
RACERS = 4
SKEW_S = 60.0
"""A clock that is off by more is worth a word."""
REFUSED_SKEW_S = 900.0
"""S3 refuses requests beyond it."""
SLOW_MS = 1000.0
_UNLOCKED = ("runs stay right, but two at once into one output are not kept apart, nor two that publish one model: "
             "start one at a time; as a registry it refuses champions: name versions there")


def probe(store: ObjectStore) -> Iterator[Finding]:
    """Try the store; raises `StoreError` if it can't be reached at all, or refuses whatever is asked."""
    folder = PLACE + secrets.token_hex(6) + "/"
    ms: dict[str, float] = {}
    try:
        yield from _probe(store, folder, ms)
    finally:
        _tidy(store, folder)
    if ms:
        said = ", ".join(f"{doing} {spent:.0f} ms" for doing, spent in ms.items())
        slow = max(ms.values()) > SLOW_MS
        do = "run nearer to the store; many workers hide some of it" if slow else ""
        yield Finding("warning" if slow else "ok", "store latency", said, do)


def _probe(store: ObjectStore, folder: str, ms: dict[str, float]) -> Iterator[Finding]:
    key, data = folder + "probe", secrets.token_bytes(1024)
    unlisted: AccessError | None = None
    try:
        with _timed(ms, "list"):
            next(store.list(PLACE), None)
    except AccessError as error:
        unlisted = error
    try:
        started_s = time.time()
        with _timed(ms, "put"):
            store.put(key, data)
        ended_s = time.time()
        with _timed(ms, "get"):
            same = store.get(key).data == data
    except (AccessError, ItemError) as error:
        if unlisted is not None and isinstance(error, AccessError):
            raise  # these credentials open nothing
        yield _denied("put and get", error)
        return
    if unlisted is not None:
        yield _denied("list", unlisted)
    listed = [info.key for info in store.list(folder)] if "list" in ms else [key]
    if same and listed == [key]:
        yield Finding("ok", "store", f"{store.url}: list, put and get")
    else:
        wrong = "gives back other bytes than were put" if not same else "does not list what was put"
        yield Finding("problem", "store", f"{store.url} {wrong}", "use another store: this one loses pictures")
    yield _clock(store, store.head(key).modified_s, started_s, ended_s)
    yield _creation(store, folder, key)
    yield _swap(store, key)
    yield _deletion(store, key, ms)


def _creation(store: ObjectStore, folder: str, key: str) -> Finding:
    """Whether "only if absent" holds: over what is there, and among several at the same moment."""
    what = "store creation"
    try:
        store.put(key, b"this must not be written", mode=PutMode.CREATE)
    except PreconditionError:
        winners = _race(store, folder + "race")
        if winners == 1:
            return Finding("ok", what, f"only if absent: kept, also among {RACERS} at once")
        return Finding("warning", what, f"only if absent: {winners} of {RACERS} at once have won", _UNLOCKED)
    except (StoreError, ItemError) as error:
        return Finding("warning", what, f"only if absent is not understood: {error}", _UNLOCKED)
    return Finding("warning", what, "only if absent is ignored: what was there has been replaced", _UNLOCKED)


def _race(store: ObjectStore, key: str) -> int:
    """How many of `RACERS` believe that they have made one object."""
    start = threading.Barrier(RACERS)

    def run(number: int) -> bool:
        start.wait()
        try:
            store.put(key, str(number).encode(), mode=PutMode.CREATE)
        except PreconditionError:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as threads:
        return sum(threads.map(run, range(RACERS)))


def _swap(store: ObjectStore, key: str) -> Finding:
    """Whether "only if unchanged" holds: with the right ETag it must write, with the old one it must not."""
    what = "store swap"
    try:
        current = store.head(key)
        store.put(key, b"second", mode=IfUnchanged(current.etag))
        store.put(key, b"this must not be written", mode=IfUnchanged(current.etag))
    except PreconditionError:
        if store.get(key).data == b"second":
            return Finding("ok", what, "only if unchanged: kept")
        return Finding("warning", what, "only if unchanged is refused also where nothing was changed", _UNLOCKED)
    except (StoreError, ItemError) as error:
        return Finding("warning", what, f"only if unchanged is not understood: {error}", _UNLOCKED)
    return Finding("warning", what, "only if unchanged is ignored: a change in between would be lost", _UNLOCKED)


def _deletion(store: ObjectStore, key: str, ms: dict[str, float]) -> Finding:
    try:
        with _timed(ms, "delete"):
            store.delete(key)
        store.head(key)
    except NotFoundError:
        return Finding("ok", "store delete", "works")
    except AccessError as error:
        return Finding("warning", "store delete", str(error),
                       f"runs need no delete, trainings do; remove {key!r} by hand")
    return Finding("problem", "store delete", f"{key!r} is still there after it was deleted", "remove it by hand")


def _clock(store: ObjectStore, modified_s: float | None, started_s: float, ended_s: float) -> Finding:
    """This machine's clock against the store's, which says in whole seconds when it wrote the probe."""
    what = "store clock"
    if modified_s is None or isinstance(store, FileStore | MemoryStore):
        return Finding("ok", what, "unknown: this store has no clock of its own")
    least_s, most_s = started_s - modified_s - 1, ended_s - modified_s
    if least_s <= 0 <= most_s:
        return Finding("ok", what, "the same as here, as far as whole seconds tell")
    skew_s = (least_s + most_s) / 2
    said = f"this machine's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the store's"
    if abs(skew_s) <= SKEW_S:
        return Finding("ok", what, said)
    level: Level = "problem" if abs(skew_s) > REFUSED_SKEW_S else "warning"
    return Finding(level, what, said, "set the clock (timedatectl set-ntp true): ages are told wrongly, and S3 "
                   f"refuses requests beyond {REFUSED_SKEW_S:.0f} s")


def _denied(doing: str, error: StoreError | ItemError) -> Finding:
    return Finding("problem", "store", f"{doing}: {error}", "give these credentials the right to list, get and put")


def _tidy(store: ObjectStore, folder: str) -> None:
    """Leave nothing behind; in a folder also not the empty ones and the lock file, which no delete removes."""
    with suppress(StoreError):
        for name in ("probe", "race"):
            store.delete(folder + name)
    if isinstance(store, FileStore):
        shutil.rmtree(store.root / folder, ignore_errors=True)
        with suppress(OSError):
            (store.root / folder).parent.rmdir()


@contextmanager
def _timed(ms: dict[str, float], doing: str) -> Iterator[None]:
    start_s = time.perf_counter()
    yield
    ms[doing] = (time.perf_counter() - start_s) * 1000
