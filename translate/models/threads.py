"""Which of a process's threads torch shares its work out from.

On a CPU each thread from which torch shares work out has a team of its own. GNU's OpenMP, which torch has on Linux,
sends the members of a team that wait for work to sleep at once as soon as all teams together are more threads than
there are cores, and to wake them costs more than many a layer: with a second team ResNets took 1.7 times as long on 2
cores. So one thread of a process has a team, whoever asks for the work, and what is too small to be worth one keeps to
its own thread. A process that was forked has none of its parent's threads, so it makes that one anew.
"""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")
_NAME = "all-cores"


def on_all_cores(run: Callable[[], _T]) -> _T:
    """What ``run`` returns or raises, on the one thread of this process that has a team; callers take turns."""
    if threading.current_thread().name.startswith(_NAME):
        return run()
    return _thread().submit(run).result()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep the calling thread's work on that thread (torch's setting is one of the calling thread)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _thread() -> ThreadPoolExecutor:
    """With as many others as the thread that first asks would have; torch would take what any thread has set last."""
    return ThreadPoolExecutor(1, _NAME, torch.set_num_threads, (torch.get_num_threads(),))


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_thread.cache_clear)
