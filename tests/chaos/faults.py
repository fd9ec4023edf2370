"""Which fault befalls which request: seeded, and independent of the order in which threads come by.

Chance is drawn from the seed, the method, the key and how many times that has been asked before, so that a seed does
the same to the same request however the machine schedules its threads. Only what depends on how a run goes (how often
a key is asked for, when a window begins) varies.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

LOST_ACK = "lost_ack"
RATES = ("slow_down", "reset", "short", "stall", "hang", LOST_ACK, "corrupt", "wrong_date")
"""Faults that befall single requests."""
WINDOWS = ("slow_down", "expired", "skewed", "down")
"""Faults that befall every request for a while."""
_ONLY = {LOST_ACK: ("PUT",), "corrupt": ("GET",), "short": ("GET",)}
_RUN = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{4}")


@dataclass(frozen=True)
class Window:
    """From the ``begins_at``-th request on, for ``lasts_s`` seconds, every answer is this fault."""

    kind: str
    begins_at: int
    lasts_s: float


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What a proxy does to the requests that pass."""

    seed: int = 0
    rates: dict[str, float] = field(default_factory=dict)
    """By kind of `RATES`: how likely it is for one request, 0 to 1."""
    keys: str = ""
    """Regular expression: rates are for requests about these keys only; empty means all."""
    first: int | None = None
    """Rates are for the first so many requests about each key; None means all."""
    windows: tuple[Window, ...] = ()
    careless: bool = False
    """The conditions of puts (If-None-Match, If-Match) are taken off on the way, as some stores ignore them."""
    stall_s: tuple[float, float] = (0.05, 0.5)
    hang_s: float = 5.0
    """Longer than the client waits."""

    def __post_init__(self) -> None:
        unknown = (set(self.rates) - set(RATES)) | ({w.kind for w in self.windows} - set(WINDOWS))
        assert not unknown, f"unknown faults {sorted(unknown)}"


@dataclass(frozen=True)
class Hit:
    """A fault that befell a request."""

    at_s: float
    """Since the proxy was opened."""
    kind: str
    method: str
    key: str
    """Without its bucket; empty for a listing."""


class Fate:
    """Decides for one request after the other, and keeps what it did. Safe between threads."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.hits: list[Hit] = []
        self.requests = 0
        self._asked: Counter[tuple[str, str]] = Counter()
        self._began: dict[Window, float] = {}
        self._opened = time.monotonic()
        self._lock = threading.Lock()

    def befalls(self, method: str, key: str) -> tuple[str | None, random.Random]:
        """The fault of this request, or None, and the chance by which its details are drawn."""
        with self._lock:
            self.requests += 1
            nth = self._asked[method, key]
            self._asked[method, key] += 1
            kind = self._window(time.monotonic())
        # Runs are named by time; the seed must not mean something else at every start.
        chance = random.Random(f"{self.faults.seed}/{method}/{_RUN.sub('RUN', key)}/{nth}")
        kind = kind or self._rate(method, key, nth, chance)
        if kind is not None:
            self.note(kind, method, key)
        return kind, chance

    def note(self, kind: str, method: str, key: str) -> None:
        """Keep what was done to a request."""
        self.hits.append(Hit(round(time.monotonic() - self._opened, 3), kind, method, key))

    def counts(self) -> dict[str, int]:
        """How many requests each kind has hit."""
        return dict(sorted(Counter(hit.kind for hit in self.hits).items()))

    def _window(self, now_s: float) -> str | None:
        for window in self.faults.windows:
            if self.requests >= window.begins_at:
                began_s = self._began.setdefault(window, now_s)
                if now_s < began_s + window.lasts_s:
                    return window.kind
        return None

    def _rate(self, method: str, key: str, nth: int, chance: random.Random) -> str | None:
        faults = self.faults
        if (faults.first is not None and nth >= faults.first) or not re.search(faults.keys, key):
            return None
        drawn = chance.random()
        for kind in RATES:
            if method in _ONLY.get(kind, (method,)):
                drawn -= faults.rates.get(kind, 0.0)
                if drawn < 0:
                    return kind
        return None
