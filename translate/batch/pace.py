"""How many images a worker has in hand, so that its network finds the next one decoded whenever it is free.

By Little's law: while the network does one image, as many others must be under way outside it as fit an image's time
outside (get, decode, encode, put) into its time inside. Both are measured as the run goes, because they depend on
store, pictures, model and machine.
"""

from __future__ import annotations

import math
import threading
from collections import deque

RECENT = 32
"""How many of the last images count: pictures may become larger or smaller during a run."""
LATE = 0.9
"""Images as slow as the slowest tenth still have to be ready in time."""
LEAST_READY = 2
"""So many images more than the times ask for, because they do not come evenly."""
MOST = 32
"""Most threads of a worker, and connections of its S3 client. More would only wait for Python's lock."""
TRANSLATE = "translate"
"""The stage inside the network; every other one is outside."""


class Pace:
    """Watches the stages' times; safe between threads."""

    def __init__(self, networks: int) -> None:
        """``networks`` images are in the network at a time."""
        self._networks = networks
        self._times: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._lock = threading.Lock()
        self._wanted = self._bounded(2 * networks)

    @property
    def wanted(self) -> int:
        """Images to have in hand at once, 1 to `MOST`; before anything is known, one in and one outside for each that
        the network takes, and `LEAST_READY`."""
        return self._wanted

    def note(self, ms: dict[str, float]) -> None:
        """Take in the milliseconds of an image's stages, by their names; of an image that was translated."""
        inside = ms[TRANSLATE]
        with self._lock:
            self._times.append((inside, sum(ms.values()) - inside))
            usual = sorted(inside for inside, _ in self._times)[len(self._times) // 2]
            late = sorted(outside for _, outside in self._times)[int(LATE * len(self._times))]
            ratio = late / usual if usual else math.inf
            self._wanted = self._bounded(self._networks * (1 + min(ratio, MOST)))

    def _bounded(self, images: float) -> int:
        return min(MOST, math.ceil(images) + LEAST_READY)
