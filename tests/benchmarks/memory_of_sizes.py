"""Memory of one process that translates pictures of ever new sizes, and the time of a size that comes again.

    python -m tests.benchmarks.memory_of_sizes --engine torch-float32 --sizes 2000

Engines keep what they prepared for a size; without a bound that grows with every new size. Each line says how far the
process has grown since the first pictures. The network and the pictures are small, so that what grows is seen early.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from pathlib import Path
from statistics import median

import torch

from tests.benchmarks._machine import machine, row
from tests.engine_networks import translator
from translate.engines.opening import open_engine

NETWORK = {"architecture": "resnet", "width": 16, "blocks": 3}
SIDES_PX = (64, 192)
WARM = 20
"""Sizes before the first measurement: code is loaded and buffers have grown by then."""
AGAIN = 8
"""Sizes that come in turn for the time of a size that is known."""
MIB = 2**20


def held_bytes() -> int:
    """Resident memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="torch-float32")
    parser.add_argument("--sizes", type=int, default=2000)
    parser.add_argument("--every", type=int, default=100)
    asked = parser.parse_args()
    print(machine())
    engine = open_engine(asked.engine, translator(NETWORK))
    rng = random.Random(0)

    def picture() -> torch.Tensor:
        return torch.rand(1, 3, rng.randint(*SIDES_PX), rng.randint(*SIDES_PX)) * 2 - 1

    for _ in range(WARM):
        engine.translate(picture())
    gc.collect()
    before = held_bytes()
    for number in range(1, asked.sizes + 1):
        engine.translate(picture())
        if number % asked.every == 0 or number == asked.sizes:
            gc.collect()
            grown = (held_bytes() - before) / MIB
            print(f"{number} sizes: {grown:+.0f} MiB", flush=True)
    known = [picture() for _ in range(AGAIN)]
    times = []
    for _ in range(10):
        start = time.process_time()
        for x in known:
            engine.translate(x)
        times.append((time.process_time() - start) / AGAIN * 1000)
    fresh = []
    for _ in range(5):
        x = picture()
        start = time.process_time()
        engine.translate(x)
        fresh.append((time.process_time() - start) * 1000)
    row(f"`{asked.engine}`, {asked.sizes} pictures of {asked.sizes} sizes",
        f"{grown:+.0f} MiB; a picture of one of {AGAIN} known sizes {median(times[1:]):.1f} ms of processor time, "
        f"of a new one {median(fresh):.1f} ms")


if __name__ == "__main__":
    main()
