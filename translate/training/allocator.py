"""What the C library does with freed memory while a training goes on."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let this process keep large blocks for its next tensors, for as long as it lives; only glibc can be told.

    By itself it gives them back to the system, by thresholds that move, and each step gets them again page by page: a
    twelfth of a step's time, or none of it, as it comes.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
