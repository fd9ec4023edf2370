"""Memory that images in hand share: who needs more than is left waits, in the order of coming."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Allowance:
    """Bytes that may be held at once, by all threads together; what is larger than all of them is held alone."""

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._held = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Wait until so many bytes may be held, and hold them; nobody overtakes, so that a large one gets its turn."""
        me = object()
        with self._changed:
            self._line.append(me)
            self._changed.wait_for(lambda: self._line[0] is me and self._fits(size_bytes))
            self._line.popleft()
            self._held += size_bytes
            self._changed.notify_all()  # the next in line may fit too
        try:
            yield
        finally:
            with self._changed:
                self._held -= size_bytes
                self._changed.notify_all()

    def _fits(self, size_bytes: int) -> bool:
        return self._held == 0 or self._held + size_bytes <= self._total
