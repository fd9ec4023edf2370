"""One run at a time per output: a lease beside the outputs, ``_translate/lease.json``.

It is taken by a put that applies only if nobody wrote it since it was looked at, so of any number of rivals one
wins; renewed by compare-and-swap while the run goes on; and marked as released at its end, never removed, so
that its fencing number only grows. A holder that dies renews no more, and the next run takes over.

How old a lease is, is the difference between two times of the store's own clock; clocks of machines don't
matter. Where a store does not do conditional puts (asked, never assumed), there is no lease: two runs at once
then do the same work twice, to the same bytes.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pydantic import Field, ValidationError

import translate
from translate.batch.layout import RESERVED
from translate.errors import (
    LockedError,
    NotFoundError,
    PreconditionError,
    StoreError,
    TranslateError,
    UnavailableError,
    UnsupportedError,
)
from translate.progress import duration
from translate.provenance import SCHEMA, Record
from translate.stores.contract import IfUnchanged, PutMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from translate.stores.contract import ObjectInfo, ObjectStore, StoredObject

KEY = RESERVED + "lease.json"
PROBE = RESERVED + "probe"
"""Shows whether conditional puts are refused as they should be, and what the store's clock says."""
EXPIRES_AFTER_S = 120.0
"""A holder that has not renewed its lease for so long has lost it to whoever comes."""
BEATS = 4
"""Renewals until a lease would expire."""
CLOCK_STEP_S = 1.0
"""S3 tells whole seconds."""
_TRIES = 4
_PAUSE_S = 0.25
_NO_ETAG = "0" * 32
_can_lock: WeakKeyDictionary[ObjectStore, bool] = WeakKeyDictionary()
"""What was found out in this process."""


class Lease(Record):
    """``lease.json``: who writes to this output."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    fence: int
    """Fencing number: one more than that of the lease before."""
    token: str
    """Of this holding alone: whoever reads it back knows its own."""
    run: str
    host: str
    pid: int
    user: str
    version: str
    """Of this program."""
    expires_after_s: float
    held_s: float = 0.0
    """For how long it had been held when this was written."""
    released: bool = False

    @property
    def holder(self) -> str:
        """Who holds it, in words."""
        return f"run {self.run}, by {self.user} on {self.host} (process {self.pid}, translate {self.version})"


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease as it was found; all None if there was none."""

    lease: Lease | None = None
    etag: str | None = None
    modified_s: float | None = None
    """When it was last renewed, by the store's clock."""


def read(store: ObjectStore) -> Seen:
    """The lease of an output, whoever holds it. Raises `StoreError` if it cannot be read."""
    try:
        found = store.get(KEY)
    except NotFoundError:
        return Seen()
    try:
        lease = Lease.model_validate_json(found.data)
    except ValidationError as error:
        raise StoreError(
            f"{_place(store)} is damaged, or of a newer version of this program: {str(error).splitlines()[0]}. "
            "Update; or remove it, if nothing writes to this output"
        ) from error
    return Seen(lease, found.info.etag, found.info.modified_s)


def look(store: ObjectStore) -> Seen:
    """See that nobody holds an output, before anything is planned there. Raises `LockedError` if somebody does."""
    seen = read(store)
    _refuse_if_held(store, seen)
    return seen


@contextlib.contextmanager
def hold(
    store: ObjectStore, run: str, seen: Seen, *, expires_after_s: float = EXPIRES_AFTER_S
) -> Iterator[Held | None]:
    """Take the lease and keep it until the block ends, however it ends; None if the store cannot lock.

    Raises `LockedError` if another run holds it, or has held it since it was ``seen``: plans made before would
    be out of date.
    """
    if not can_lock(store):
        yield None
        return
    lease = Lease(
        fence=seen.lease.fence + 1 if seen.lease else 1,
        token=secrets.token_hex(16),
        run=run,
        host=socket.gethostname(),
        pid=os.getpid(),
        user=_user(),
        version=translate.__version__,
        expires_after_s=expires_after_s,
    )
    begun = _Stopwatch()
    held = Held(store, lease, _take(store, lease, seen), begun)
    try:
        yield held
    finally:
        held.release()


def can_lock(store: ObjectStore) -> bool:
    """Whether a store refuses conditional puts when it should: asked with real ones, once a process."""
    if store not in _can_lock:
        # The first put may only have created the probe.
        creates = _refuses(store, PutMode.CREATE) or _refuses(store, PutMode.CREATE)
        _can_lock[store] = creates and _refuses(store, IfUnchanged(_NO_ETAG))
    return _can_lock[store]


def _refuses(store: ObjectStore, mode: PutMode | IfUnchanged) -> bool:
    try:
        store.put(PROBE, b"", mode=mode)
    except PreconditionError:
        return True
    except UnsupportedError:
        return False
    return False


class Held:
    """A lease that is ours. A thread renews it; `assure` is asked before anything is written."""

    def __init__(self, store: ObjectStore, lease: Lease, etag: str, begun: _Stopwatch) -> None:
        """``begun`` just before the lease was written."""
        self._store, self._lease, self._etag = store, lease, etag
        self._since = self._renewed = begun
        self._lost = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    @property
    def fence(self) -> int:
        """The fencing number."""
        return self._lease.fence

    @property
    def lost(self) -> bool:
        """Whether another run is known to have taken over; asks nobody."""
        return bool(self._lost)

    def assure(self) -> None:
        """Return if the lease is ours, after a renewal if the last one is long ago.

        Raises `LockedError` if another run took over; `StoreError` if that could not be found out.
        """
        if not self._is_fresh():
            with self._lock:
                if not self._is_fresh():
                    self._renew()
        if self._lost:
            raise LockedError(self._lost)

    def release(self) -> None:
        """Give the lease back; one that cannot be given back expires."""
        self._ended.set()
        with self._lock, contextlib.suppress(TranslateError):
            if not self._lost:
                self._write(released=True)
        self._thread.join()

    def _is_fresh(self) -> bool:
        """Whether no other run can have taken over yet, with time to spare for what is about to be written."""
        return self._renewed.seconds < self._lease.expires_after_s / 2

    def _beat(self) -> None:
        while not self._ended.wait(self._lease.expires_after_s / BEATS) and not self._lost:
            # What fails now is tried at the next beat, and before anything is written that needs it.
            with self._lock, contextlib.suppress(TranslateError):
                self._renew()

    def _renew(self) -> None:
        """Compare and swap; under the lock."""
        for _ in range(_TRIES):
            if self._lost or self._ended.is_set():
                return
            begun = _Stopwatch()
            try:
                self._write(released=False)
            except PreconditionError:
                # Also the answer to a put of our own that was acknowledged to nobody: then go on from it.
                found = read(self._store)
                if found.lease is None or found.lease.token != self._lease.token:
                    self._lost = _lost(self._store, self._lease, found.lease)
                    return
                assert found.etag is not None
                self._etag = found.etag
            else:
                self._renewed = begun
                return
        raise UnavailableError(f"{_place(self._store)} could not be renewed in {_TRIES} tries")

    def _write(self, *, released: bool) -> None:
        lease = self._lease.model_copy(update={"held_s": round(self._since.seconds, 3), "released": released})
        self._etag = _put(self._store, lease, IfUnchanged(self._etag)).etag


class FencedStore:
    """The output, as long as the lease is held: a put without it is a `LockedError`.

    Pickled it is the bare store: another process has no part in the lease.
    """

    def __init__(self, store: ObjectStore, held: Held) -> None:
        self._store, self._held = store, held

    def __reduce__(self) -> tuple[Callable[[ObjectStore], ObjectStore], tuple[ObjectStore]]:
        return _bare, (self._store,)

    @property
    def url(self) -> str:
        """As the contract says."""
        return self._store.url

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says."""
        return self._store.list(prefix, start_after=start_after)

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says."""
        return self._store.get(key, if_match=if_match)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
    ) -> ObjectInfo:
        """As the contract says, if the lease is held; else `LockedError`."""
        self._held.assure()
        return self._store.put(key, data, mode=mode, content_type=content_type)

    def head(self, key: str) -> ObjectInfo:
        """As the contract says."""
        return self._store.head(key)

    def delete(self, key: str) -> None:
        """As the contract says, if the lease is held; else `LockedError`."""
        self._held.assure()
        self._store.delete(key)


class _Stopwatch:
    """Seconds since it was made, by whichever clock says more: not all run on while a machine sleeps."""

    def __init__(self) -> None:
        self._monotonic_s, self._wall_s = time.monotonic(), time.time()

    @property
    def seconds(self) -> float:
        """Elapsed; too many if the wall clock was set forward, which costs a renewal."""
        return max(time.monotonic() - self._monotonic_s, time.time() - self._wall_s)


def _bare(store: ObjectStore) -> ObjectStore:
    return store


def _take(store: ObjectStore, lease: Lease, seen: Seen) -> str:
    """Write the lease where nobody has since it was seen; returns the ETag."""
    for _ in range(_TRIES):
        try:
            return _put(store, lease, PutMode.CREATE if seen.etag is None else IfUnchanged(seen.etag)).etag
        except PreconditionError:
            found = read(store)
        # The put may have been ours after all: done, but acknowledged to nobody, and tried again.
        if found.lease is not None and found.etag is not None and found.lease.token == lease.token:
            return found.etag
        if found.etag != seen.etag:
            _refuse_if_held(store, found)
            raise LockedError(
                f"another run wrote to {store.url} while this one was planned"
                f"{f': {found.lease.holder}' if found.lease else ''}. What is to do may have changed: "
                "run the same command again"
            )
        time.sleep(_PAUSE_S)  # the store was busy with a rival's put and has not shown it yet
    raise LockedError(f"another run is about to write to {store.url}; run the same command again in a minute")


def _put(store: ObjectStore, lease: Lease, mode: PutMode | IfUnchanged) -> ObjectInfo:
    return store.put(KEY, lease.model_dump_json(indent=1).encode(), mode=mode, content_type="application/json")


def _refuse_if_held(store: ObjectStore, seen: Seen) -> None:
    lease = seen.lease
    if lease is None or lease.released:
        return
    store.put(PROBE, b"")
    now_s = store.head(PROBE).modified_s
    assert now_s is not None, f"{store.url} tells no times"
    assert seen.modified_s is not None, f"{store.url} tells no times"
    left_s = seen.modified_s + lease.expires_after_s - now_s
    if left_s < -CLOCK_STEP_S:
        return
    expires = _utc(seen.modified_s + lease.expires_after_s)
    raise LockedError(
        f"another run writes to {store.url}: {lease.holder}, since {_utc(seen.modified_s - lease.held_s)}. "
        f"Its last sign of life was {duration(max(0.0, now_s - seen.modified_s))} ago; without another one it counts "
        f"as dead from {expires} on, in {duration(max(0.0, left_s))}.\n"
        "Wait until it ends, or for that moment if it has died, and run the same command again; or choose another "
        "--output"
    )


def _lost(store: ObjectStore, lease: Lease, by: Lease | None) -> str:
    who = f"{by.holder} took over (lease {lease.fence} -> {by.fence})" if by else f"{KEY} was removed"
    return (
        f"this run no longer holds {store.url}: {who}, after this one gave no sign of life for "
        f"{duration(lease.expires_after_s)} or more. It has stopped and writes nothing more"
    )


def _place(store: ObjectStore) -> str:
    return f"{store.url.rstrip('/')}/{KEY}"


def _utc(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"
