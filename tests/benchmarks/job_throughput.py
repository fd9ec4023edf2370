"""Images per second of the whole job, bucket to bucket, against those of its bare network; and each stage's CPU time.

    python -m tests.benchmarks.job_throughput --images 200

A real S3 server on this machine (it takes its share of the processors), the engine that the job takes here, a generator
of width 64 with 9 blocks; pictures so large that they cost the network the milliseconds asked for. Rounds of both take
turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks._machine import machine, row
from tests.jobs import make_job, publish_tiny
from tests.s3_server import ENVIRONMENT, S3Server
from translate.batch.run import prepare, run
from translate.batch.stages import get
from translate.images import codec
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.images.tensors import to_tensor
from translate.models.threads import one_thread
from translate.progress import silent
from translate.shipped import shipped_folder
from translate.stores import open_store

if TYPE_CHECKING:
    from translate.batch.run import Prepared
    from translate.engines.contract import Engine

STEP_PX = 32
LARGEST_PX = 1024
TIMED = 3
"""Images of each size that is tried, behind one that warms up."""
STAGE_IMAGES = 10


def photograph(side_px: int, index: int) -> bytes:
    """A shipped one as a square JPEG, each index another cut."""
    files = sorted((shipped_folder("samples") / "photos").glob("*.jpg"), key=Path.as_posix)
    pixels = codec.decode(files[index % len(files)].read_bytes()).pixels
    rolled = np.roll(resize(pixels, side_px, side_px, how="auto"), 7 * index, axis=1)
    return codec.encode(Picture(rolled, None, "jpeg"), "jpeg", 92)


def bare_rate(engine: Engine, side_px: int, images: int) -> float:
    """Images per second of the network alone, as many at once as the engine wants."""
    x = to_tensor(codec.decode(photograph(side_px, 0)).pixels)[None]
    began = time.perf_counter()
    with ThreadPoolExecutor(engine.concurrency) as threads:
        list(threads.map(lambda _: engine.translate(x), range(images)))
    return images / (time.perf_counter() - began)


def side_of(engine: Engine, least_ms: float) -> int:
    """The smallest picture that costs the network so much."""
    for side_px in range(STEP_PX, LARGEST_PX, STEP_PX):
        bare_rate(engine, side_px, 1)
        if 1000 / bare_rate(engine, side_px, TIMED) >= least_ms:
            return side_px
    return LARGEST_PX


def stages_cpu_ms(prepared: Prepared) -> dict[str, float]:
    """Processor time of each stage, by itself on one thread (the network's of all of its threads)."""
    task = prepared.task
    core = task.core(prepared.engine)
    spent: dict[str, list[float]] = {}

    def timed(name, function, *arguments):
        began = time.process_time()
        made = function(*arguments)
        spent.setdefault(name, []).append(1000 * (time.process_time() - began))
        return made

    for item, _ in zip(prepared.plan.items(), range(STAGE_IMAGES), strict=False):
        data = timed("get", get, task.source, item)
        picture = timed("decode", core.decode, data)
        picture = timed("network", core.translate, picture)
        encoded = timed("encode", core.encode, picture, item.format, core.mark_of(data))
        timed("put", task.output.put, item.output_key, encoded)
    return {name: median(found) for name, found in spent.items()}


def measure(server: S3Server, registry: str, engine: Engine, least_ms: float, images: int, rounds: int) -> None:
    """Print the rounds, their median as a row, and the stages."""
    side_px = side_of(engine, least_ms)
    bucket = server.make_bucket()
    source = open_store(f"s3://{bucket}/in/")
    for index in range(images):
        source.put(f"{index:03}.jpg", photograph(side_px, index))

    def job(output: str) -> Prepared:
        return prepare(make_job(source, open_store(f"s3://{bucket}/{output}/"), registry, choice=engine.name))

    bare, whole = [], []
    for number in range(rounds):
        bare.append(bare_rate(engine, side_px, images))
        began = time.perf_counter()
        prepared = job(f"job{number}")
        planned_s = time.perf_counter() - began
        summary = run(prepared, "local", 1, silent, lambda: False).summary
        assert summary is not None
        assert summary.ok == images
        whole.append(images / (time.perf_counter() - began - planned_s))
        print(f"round {number + 1}: network {bare[-1]:.2f} images/s, job {whole[-1]:.2f}, planned in {planned_s:.2f} s",
              flush=True)
    share = median(job / network for job, network in zip(whole, bare, strict=True))
    row(f"job against its bare network, resnet_9blocks, {side_px} x {side_px}, {engine.name}, "
        f"{1000 / median(bare):.0f} ms an image", f"{median(whole):.2f} of {median(bare):.2f} images/s: {share:.0%}")
    cpu = ", ".join(f"{name} {ms:.1f}" for name, ms in stages_cpu_ms(job("stages")).items())
    row("its stages, CPU time an image", f"{cpu} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="so many that start and end weigh little")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network-ms", type=float, nargs="+", default=[200.0, 20.0])
    asked = parser.parse_args()
    print(machine())
    os.environ |= ENVIRONMENT
    with tempfile.TemporaryDirectory() as folder, S3Server() as server:
        os.environ["AWS_ENDPOINT_URL_S3"] = server.endpoint_url
        with one_thread():  # as in a job, where no thread but the engine's has others
            registry = publish_tiny(Path(folder), width=64, blocks=9, spread=0.01)
        place = open_store(f"s3://{server.make_bucket()}/")
        for index in range(asked.images):
            place.put(f"{index}.jpg", photograph(512, index))
        engine = prepare(make_job(place, open_store(f"memory://{server.make_bucket()}"), registry)).engine
        for least_ms in asked.network_ms:
            measure(server, registry, engine, least_ms, asked.images, asked.rounds)


if __name__ == "__main__":
    main()
