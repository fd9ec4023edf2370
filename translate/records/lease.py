"""One run at a time per output: a lease beside the outputs, ``_translate/lease.json``.

It is taken by a put that applies only if nobody wrote it since it was looked at, so of any number of rivals one
wins; renewed by compare-and-swap while the run is at work; and marked as released at its end, never removed, so
that its fencing number only grows. A holder that dies renews no more, and the next run takes over.

How old a lease is, is the difference between two times of the store's own clock; clocks of machines don't
matter. Where a store does not do conditional puts (asked, never assumed), there is no lease: two runs at once
then do the same work twice, to the same bytes.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from translate.errors import LockedError, NotFoundError, StoreError
from translate.progress import duration
from translate.provenance import SCHEMA, Record
from translate.records.layout import RESERVED
from translate.stores.conditional import PROBE
from translate.stores.records import read_record

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

KEY = RESERVED + "lease.json"
EXPIRES_AFTER_S = 120.0
"""A lease that was not renewed for so long has expired: the next run may take it."""
CLOCK_STEP_S = 1.0
"""The resolution of a store's times: S3 gives whole seconds."""


class Lease(Record):
    """``lease.json``: who writes to this output."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    fence: int
    """Fencing number: one more than that of the previous lease."""
    token: str
    """Random, and different each time the lease is taken: by it a holder recognises its own lease."""
    run: str
    host: str
    pid: int
    machine: str = ""
    """Where the process can be looked for, see `this_machine`; empty where that is not known."""
    user: str
    version: str
    """Version of this program."""
    expires_after_s: float
    held_s: float = 0.0
    """For how many seconds the lease had been held when this was written."""
    released: bool = False

    @property
    def holder(self) -> str:
        """The holder of the lease, in words."""
        return f"run {self.run}, by {self.user} on {self.host} (process {self.pid}, translate {self.version})"


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease as it was found in the store; all fields are None if there was none."""

    lease: Lease | None = None
    etag: str | None = None
    modified_s: float | None = None
    """When the lease was last renewed, in seconds since 1970 by the store's clock."""


def read(store: ObjectStore) -> Seen:
    """The lease of an output, whoever holds it. Raises `StoreError` if it cannot be read."""
    try:
        found = read_record(store, KEY)
    except NotFoundError:
        return Seen()
    try:
        lease = Lease.model_validate_json(found.data)
    except ValidationError as error:
        raise StoreError(
            f"{place(store)} is damaged, or of a newer version of this program: {str(error).splitlines()[0]}. "
            "Update; or remove it, if nothing writes to this output"
        ) from error
    return Seen(lease, found.info.etag, found.info.modified_s)


def look(store: ObjectStore) -> Seen:
    """See that nobody holds an output, before anything is planned there. Raises `LockedError` if somebody does."""
    seen = read(store)
    refuse_if_held(store, seen)
    return seen


def refuse_if_held(store: ObjectStore, seen: Seen) -> None:
    """Raise `LockedError` if the lease was neither released nor has expired."""
    lease = seen.lease
    if lease is None or lease.released or holder_is_gone(lease):
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
        f"another run writes to {store.url}: {lease.holder}, since {_utc(seen.modified_s - lease.held_s)}.\n"
        f"Its last sign of life was {duration(max(0.0, now_s - seen.modified_s))} ago. If there is no other, its lease "
        f"expires at {expires}, in {duration(max(0.0, left_s))}.\n"
        "Run the same command again when that run has ended, or, if it has died, from then on; or choose another "
        "output"
    )


def this_machine() -> str:
    """Start of this machine and namespace of its processes: where they are equal, a process id means one process.

    Empty where the system does not tell (other systems than Linux).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no file that a Path could name
    except OSError:
        return ""


def holder_is_gone(lease: Lease) -> bool:
    """Whether the holder was a process of this machine and is no more; nobody waits for its lease to expire then."""
    if not lease.machine or (lease.machine, lease.host) != (this_machine(), socket.gethostname()):
        return False
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        return False
    return False


def place(store: ObjectStore) -> str:
    """URL of the lease, for messages."""
    return f"{store.url.rstrip('/')}/{KEY}"


def _utc(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
