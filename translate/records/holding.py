"""Holding an output: taking the lease, and keeping it.

A holder that stalled (a laptop that slept, a process that was stopped) may have been replaced: it asks the store
again before it writes anything more, see `translate.records.fenced`.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import secrets
import socket
import threading
import time
from typing import TYPE_CHECKING

import translate
from translate.errors import LockedError, PreconditionError, TranslateError, UnavailableError
from translate.progress import duration
from translate.provenance import user_name
from translate.records import lease as leases
from translate.records.lease import KEY, Lease
from translate.stores.conditional import heeds_conditions
from translate.stores.contract import IfUnchanged, PutMode
from translate.stores.patience import PatientStore, bare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.records.lease import Seen
    from translate.stores.contract import ObjectInfo, ObjectStore

_log = logging.getLogger(__name__)

BEATS = 4
"""How often a lease is renewed in the time in which it would expire."""
_TRIES = 4
_PAUSE_S = 0.25


@contextlib.contextmanager
def hold(store: ObjectStore, run: str, seen: Seen, *, alone: bool = True) -> Iterator[Held | None]:
    """Take the lease and keep it until the block ends, however it ends; None if the store cannot lock.

    ``alone``: no other process works for this one. Where workers may outlive it, its death is not taken for their end.

    Raises `LockedError` if another run holds it, or has held it since it was ``seen``: plans made before would
    be out of date.
    """
    if not heeds_conditions(store):
        _log.warning("%s does no conditional writes: nothing keeps another run from writing there, too", store.url)
        yield None
        return
    lease = Lease(
        fence=seen.lease.fence + 1 if seen.lease else 1,
        token=secrets.token_hex(16),
        run=run,
        host=socket.gethostname(),
        pid=os.getpid(),
        machine=leases.this_machine() if alone else "",
        user=user_name(),
        version=translate.__version__,
        expires_after_s=leases.EXPIRES_AFTER_S,
    )
    begun = Stopwatch()
    # The holder is told at once what it cannot do: a renewal that waits for the store is none.
    held = Held(bare(store), lease, _take(store, lease, seen), begun)
    try:
        yield held
    finally:
        held.release()


class Held:
    """A lease that is ours. A thread renews it; `assure` is asked before anything is written."""

    def __init__(self, store: ObjectStore, lease: Lease, etag: str, begun: Stopwatch) -> None:
        """``store``: where the lease lies; ``begun`` just before it was written."""
        self.store, self.lease, self._etag = store, lease, etag
        self._since = self._renewed = begun
        self._lost = ""
        self._failure: TranslateError | None = None
        """Of the last renewal that failed."""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    @property
    def fence(self) -> int:
        """Fencing number of the lease."""
        return self.lease.fence

    @property
    def lost(self) -> bool:
        """Whether another run is known to have taken over; asks nobody."""
        return bool(self._lost)

    def assure(self) -> None:
        """Make sure that the lease is ours; renew it first if the last renewal is long ago.

        Raises `LockedError` if another run took over; `StoreError` if that could not be found out.
        """
        if not self._is_fresh():
            before = self._failure
            with self._lock:
                if not self._is_fresh():
                    # Threads that wait for one that is let down are let down with it: one after the other they would
                    # wait for a silent store for minutes, also when they are to stop.
                    if self._failure is not None and self._failure is not before:
                        raise copy.copy(self._failure) from self._failure
                    self._renew()
        if self._lost:
            raise LockedError(self._lost)

    def release(self) -> None:
        """Give the lease back; if that fails, it expires by itself."""
        self._ended.set()
        with self._lock, contextlib.suppress(TranslateError):
            if not self._lost:
                self._write(released=True)
        self._thread.join()

    def _is_fresh(self) -> bool:
        """Whether no other run can have taken over yet, with time to spare for what is about to be written."""
        return self._renewed.seconds < self.lease.expires_after_s / 2

    def _beat(self) -> None:
        while not self._ended.wait(self.lease.expires_after_s / BEATS) and not self._lost:
            # What fails now is tried at the next beat, and before anything is written that needs it.
            with self._lock:
                try:
                    self._renew()
                except TranslateError as error:
                    _log.warning("the lease could not be renewed, which is tried again: %s", error)

    def _renew(self) -> None:
        """Under the lock."""
        try:
            self._swap()
        except TranslateError as error:
            self._failure = error
            raise

    def _swap(self) -> None:
        """Compare and swap."""
        for _ in range(_TRIES):
            if self._lost or self._ended.is_set():
                return
            begun = Stopwatch()
            try:
                self._write(released=False)
            except PreconditionError:
                # Also the answer to a put of our own that was acknowledged to nobody: then continue from it.
                found = leases.read(self.store)
                if found.lease is None or found.lease.token != self.lease.token:
                    self._lost = lost_to(self.store, self.lease, found.lease)
                    return
                assert found.etag is not None
                self._etag = found.etag
            else:
                self._renewed = begun
                return
        raise UnavailableError(f"{leases.place(self.store)} could not be renewed in {_TRIES} tries")

    def _write(self, *, released: bool) -> None:
        lease = self.lease.model_copy(update={"held_s": round(self._since.seconds, 3), "released": released})
        # Who gives it back need not be quick, and keeps the next run waiting for its end if it can't.
        store = PatientStore(self.store, lambda: True) if released else self.store
        self._etag = _put(store, lease, IfUnchanged(self._etag)).etag


class Stopwatch:
    """Seconds since this object was made, by the clock that counted more: some stop while a machine sleeps."""

    def __init__(self) -> None:
        self._monotonic_s, self._wall_s = time.monotonic(), time.time()

    @property
    def seconds(self) -> float:
        """Elapsed seconds; too many if the wall clock was set forward, which only costs a renewal."""
        return max(time.monotonic() - self._monotonic_s, time.time() - self._wall_s)


def _take(store: ObjectStore, lease: Lease, seen: Seen) -> str:
    """Write the lease where nobody has since it was seen; returns the ETag."""
    for _ in range(_TRIES):
        try:
            return _put(store, lease, PutMode.CREATE if seen.etag is None else IfUnchanged(seen.etag)).etag
        except PreconditionError:
            found = leases.read(store)
        # The put may have been ours after all: done, but acknowledged to nobody, and tried again.
        if found.lease is not None and found.etag is not None and found.lease.token == lease.token:
            return found.etag
        if found.etag != seen.etag:
            leases.refuse_if_held(store, found)
            raise LockedError(
                f"another run wrote to {store.url} while this one was planned"
                f"{f': {found.lease.holder}' if found.lease else ''}. What is to do may have changed: "
                "run the same command again"
            )
        time.sleep(_PAUSE_S)  # the store was busy with a rival's put and has not shown it yet
    raise LockedError(f"another run is about to write to {store.url}; run the same command again in a minute")


def _put(store: ObjectStore, lease: Lease, mode: PutMode | IfUnchanged) -> ObjectInfo:
    return store.put(KEY, lease.model_dump_json(indent=1).encode(), mode=mode, content_type="application/json")


def lost_to(store: ObjectStore, lease: Lease, by: Lease | None) -> str:
    """Say to whom a lease was lost; None if it was removed."""
    if by is None:
        reason = f"{leases.place(store)} was removed"
    else:
        reason = (
            f"it gave no sign of life for {duration(lease.expires_after_s)} or more, and {by.holder} took over "
            f"(lease {lease.fence} -> {by.fence})"
        )
    return f"this run has stopped, because it no longer holds {store.url}: {reason}. It writes nothing more"
