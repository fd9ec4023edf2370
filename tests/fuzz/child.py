"""The process that decodes: a crash, a hang or a hunger for memory ends it and not the one that watches it.

Says a line when it is ready; then reads inputs (length in 8 bytes, then bytes) on stdin and answers each with a line of
JSON on stdout.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import numpy as np

from translate.errors import ItemError
from translate.images.codec import decode, probe
from translate.images.mark import read_mark
from translate.images.picture import Limits, Picture

MAX_PIXELS = 2_000_000
ADDRESS_SPACE = 1 << 30
"""Bytes that the process may take beyond what it has when it begins."""


def main() -> None:
    """Answer until stdin ends."""
    total = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (total, total))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(answer(b"")), flush=True)  # it is ready; what is loaded at first use is no input's fault
    while length := sys.stdin.buffer.read(8):
        data = sys.stdin.buffer.read(int.from_bytes(length, "big"))
        print(json.dumps(answer(data)), flush=True)


def answer(data: bytes) -> dict[str, object]:
    """What became of an input, processor seconds, and the bytes by which the process grew at most."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, start_s = _peak_bytes(), time.process_time()
    try:
        outcome, problem = outcome_of(data), ""
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        outcome, problem = "exception", traceback.format_exc()
    return {"outcome": outcome, "problem": problem, "cpu_s": time.process_time() - start_s,
            "grown_bytes": _peak_bytes() - before}


def outcome_of(data: bytes) -> str:
    """``ok`` or a code. Raises whatever an image's own fault may not raise."""
    for read in (probe, read_mark, lambda data: decode(data, Limits(max_pixels=MAX_PIXELS), frames="refuse")):
        with suppress(ItemError):
            read(data)
    try:
        picture = decode(data, Limits(max_pixels=MAX_PIXELS), exif="keep")
    except ItemError as error:
        return error.code
    _check(picture)
    return "ok"


def _check(picture: Picture) -> None:
    """What every decoded picture is."""
    pixels, alpha = picture.pixels, picture.alpha
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert 0 < pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
    assert alpha is None or (alpha.dtype == np.uint8 and alpha.shape == pixels.shape[:2])


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


if __name__ == "__main__":
    main()
