"""What the job costs an image beside its network, against plain boto3 get and put of the same bytes.

    python -m tests.benchmarks.job_overhead --images 1000

A real S3 server on this machine, small pictures, a network of a millisecond; rounds of both take turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.benchmarks._machine import machine, row
from tests.jobs import fill, make_job, publish_tiny
from tests.s3_server import ENVIRONMENT, S3Server
from translate.batch.run import prepare, run
from translate.progress import silent
from translate.stores import open_store


def plain(server: S3Server, bucket: str, keys: list[str], threads: int) -> float:
    """Get and put every object, and nothing else; seconds."""
    client = server.client()

    def copy(key: str) -> None:
        body = client.get_object(Bucket=bucket, Key="in/" + key)["Body"].read()
        client.put_object(Bucket=bucket, Key="plain/" + key, Body=body)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(copy, keys))
    return time.perf_counter() - began


def main() -> None:
    """Print milliseconds an image of both, and where the job's went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8, help="of plain boto3")
    asked = parser.parse_args()
    print(machine())
    both: list[tuple[float, float]] = []
    os.environ |= ENVIRONMENT
    with tempfile.TemporaryDirectory() as folder, S3Server() as server:
        os.environ["AWS_ENDPOINT_URL_S3"] = server.endpoint_url
        registry, bucket = publish_tiny(Path(folder)), server.make_bucket()
        source = open_store(f"s3://{bucket}/in/")
        keys = fill(source, asked.images, height=32, width=32)
        for number in range(asked.rounds):
            spent_s = plain(server, bucket, keys, asked.threads)
            began = time.perf_counter()
            prepared = prepare(make_job(source, open_store(f"s3://{bucket}/job{number}/"), registry))
            planned_s = time.perf_counter() - began
            summary = run(prepared, "local", 1, silent, lambda: False).summary
            whole_s = time.perf_counter() - began
            assert summary is not None
            assert summary.ok == asked.images
            both.append((1000 * spent_s / asked.images, 1000 * whole_s / asked.images))
            stages = ", ".join(f"{stage} {ms / asked.images:.2f}" for stage, ms in summary.ms.items())
            print(f"plain get and put {both[-1][0]:.2f} ms an image; job {both[-1][1]:.2f} (planning "
                  f"{1000 * planned_s / asked.images:.2f}); its stages, which overlap: {stages}", flush=True)
    plain_ms, job_ms = (median(times) for times in zip(*both, strict=True))
    row(f"job with a tiny network (32 x 32) against plain boto3 get and put, {asked.threads} threads",
        f"{job_ms:.1f} against {plain_ms:.1f} ms an image")


if __name__ == "__main__":
    main()
