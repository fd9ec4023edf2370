"""What a process has done over all its runs, in numbers that only grow, for monitoring (Prometheus)."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from translate.batch.executor import Executor
    from translate.records.ledger import Entry


@dataclass(frozen=True, slots=True)
class Measured:
    """The numbers at one moment; None where a number is unknown."""

    planned: int = 0
    images: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Number of images by (outcome, code); the code is empty if ok."""
    stage_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds that images spent in each stage, added up over threads and workers."""
    read_bytes: int | None = None
    """Size of the sources of all images that are ok."""
    written_bytes: int | None = None
    workers: int | None = None
    last_success_s: float | None = None
    """When a run, or a look that found nothing to do, last ended well; in seconds since 1970."""


class Meter:
    """Counts while runs are at work; may be read from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned = self._read_bytes = self._written_bytes = 0
        self._images: Counter[tuple[str, str]] = Counter()
        self._stage_s: defaultdict[str, float] = defaultdict(float)
        self._executor: Executor | None = None
        self._last_success_s: float | None = None

    @contextmanager
    def running(self, planned: int, executor: Executor) -> Iterator[None]:
        """Count a run over so many images, until the block ends."""
        with self._lock:
            self._planned += planned
            self._executor = executor
        try:
            yield
        finally:
            with self._lock:
                self._executor = None

    def add(self, entry: Entry) -> None:
        """Count the outcome of an image."""
        with self._lock:
            self._images[entry.outcome, entry.code] += 1
            self._read_bytes += entry.source_bytes
            self._written_bytes += entry.size_bytes
            for stage, ms in entry.ms.items():
                self._stage_s[stage] += ms / 1000

    def succeed(self) -> None:
        """Note that a run was finished, or that there was nothing to do."""
        with self._lock:
            self._last_success_s = time.time()

    def read(self) -> Measured:
        """The numbers now."""
        with self._lock:
            return Measured(
                self._planned, dict(self._images), dict(self._stage_s), self._read_bytes, self._written_bytes,
                self._executor.workers if self._executor else 0, self._last_success_s,
            )
