"""Pictures of one size that come at the same time share a call of the engine, where it gains from that (a GPU)."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Batches:
    """Collects images while the engine is busy; the next call takes those of one size together. Safe from any thread.

    Nothing waits for a batch to fill: with one image at hand it goes alone.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], most: int) -> None:
        """``run`` takes and returns (N, C, H, W) float32; ``most`` images share a call, 1: none do."""
        self._run, self._most = run, most
        self._waiting: defaultdict[torch.Size, deque[tuple[Tensor, Future[Tensor]]]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._engine = threading.Lock()

    def translate(self, x: Tensor) -> Tensor:
        """(C, H, W) float32 in [-1, 1] -> (C, H, W). Raises what the engine raises for this
        image, or for one that shared its call."""
        if self._most == 1:
            return self._run(x[None])[0]
        mine: Future[Tensor] = Future()
        with self._lock:
            self._waiting[x.shape].append((x, mine))
        with self._engine:
            while not mine.done():
                self._call(x.shape)
        return mine.result()

    def _call(self, shape: torch.Size) -> None:
        """Compute those images of one size that have waited longest."""
        with self._lock:
            line = self._waiting[shape]
            taken = [line.popleft() for _ in range(min(self._most, len(line)))]
            if not line:
                del self._waiting[shape]
        try:
            answers = list(zip(taken, self._run(torch.stack([x for x, _ in taken])), strict=True))
        except torch.OutOfMemoryError:
            answers = None  # tried again below: in here the error would still hold what did not fit
        except BaseException as error:  # noqa: BLE001 - handed to each caller, who raises it
            for _, future in taken:
                future.set_exception(error)
            return
        if answers is None:
            for x, future in taken:
                self._alone(x, future)
            return
        for (_, future), result in answers:
            future.set_result(result)

    def _alone(self, x: Tensor, future: Future[Tensor]) -> None:
        try:
            future.set_result(self._run(x[None])[0])
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            future.set_exception(error)
