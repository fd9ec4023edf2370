"""A batch job on a Ray cluster of several nodes that have neither this program, nor the model, nor the credentials.

See ``ray_cluster.py``. The model is in the memory of the driver alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs import contents, fill, publish_tiny
from ray_cluster import TOKEN, Cluster

from translate.errors import EXIT_OK, EXIT_USAGE
from translate.stores import open_store
from translate.stores.s3 import S3Store

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.s3, pytest.mark.timeout(1500)]

TESTS = Path(__file__).parents[1]
IMAGES = 80
DRIVER = """
import json, sys, time
from jobs import make_job, publish_tiny
from translate.batch.run import prepare, run
from translate.batch.workers import parse_workers
from translate.progress import Progress
from translate.stores import open_store

bucket, endpoint, workers = sys.argv[1:]
source, output = (open_store(f"s3://{bucket}/{name}/", endpoint_url=endpoint) for name in ("in", "out"))
publish_tiny("memory://models")
prepared = prepare(make_job(source, output, "memory://models"))
listen = lambda state: print(state.note, file=sys.stderr, flush=True)
ended = run(prepared, "ray", parse_workers(workers), listen, lambda: False)
print(json.dumps({"ok": ended.summary.ok, "codes": ended.summary.codes, "workers": ended.summary.workers}))
"""


@pytest.fixture
def cluster():
    with Cluster() as running:
        yield running


@pytest.fixture
def buckets(s3_server):
    bucket = s3_server.make_bucket()
    source, output = (S3Store(bucket, name, s3_server.endpoint_url) for name in ("in", "out"))
    fill(source, IMAGES)
    return source, output, [bucket, s3_server.endpoint_url]


def driver(cluster, *arguments):
    environment = {**os.environ, **TOKEN, "RAY_ADDRESS": cluster.address, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    return subprocess.Popen([sys.executable, "-c", DRIVER, *arguments], cwd=cluster.folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_code_weights_and_credentials_reach_nodes_that_join_and_a_lost_node_costs_nothing(cluster, buckets):
    source, output, arguments = buckets
    missing = subprocess.run([cluster.python, "-c", "import pipelines"], cwd=cluster.folder, env={}, check=False,
                             capture_output=True, text=True)
    assert "No module named 'pipelines'" in missing.stderr, "else this test shows nothing"
    first = cluster.node(cpus=1)
    with driver(cluster, *arguments, "1-4") as running:
        until_s = time.monotonic() + 600
        while len(contents(output)) < 5 and running.poll() is None and time.monotonic() < until_s:
            time.sleep(0.2)
        assert running.poll() is None, running.communicate()
        cluster.kill(first)
        cluster.node(cpus=1)
        out, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    ended = json.loads(out.splitlines()[-1])
    assert ended == {"ok": IMAGES, "codes": {}, "workers": 1}
    assert set(contents(output)) == set(contents(source))
    for secret in (os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"]):
        logs = [path for suffix in ("log", "out", "err") for path in cluster.folder.rglob(f"*.{suffix}")]
        assert logs
        assert not [path for path in logs if secret in path.read_text(errors="replace")]
        assert secret not in out + err


def test_the_engine_is_that_of_workers_with_gpus_by_their_own_word(cluster, tmp_path):
    """Ray is told of a GPU that this machine has not: the place is found, and what it is worth is seen."""
    fill(open_store(str(tmp_path / "in")), 2)
    registry = publish_tiny(tmp_path / "models")
    cluster.node(cpus=1, gpus=1)
    environment = {**os.environ, **TOKEN, "RAY_ADDRESS": cluster.address, "CUDA_VISIBLE_DEVICES": ""}

    def run(*flags):
        command = [sys.executable, "-c", "from translate.cli.app import main; main()", "run", "--model", "tiny",
                   "--registry", registry, "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), *flags]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)

    ended = run("--gpus-per-worker", "1")
    assert ended.returncode == EXIT_USAGE, ended.stderr
    assert "Ray has given a worker on node" in ended.stderr
    assert "but PyTorch finds no CUDA there" in ended.stderr
    ended = run("--gpus-per-worker", "0.5", "--device", "cpu")
    assert ended.returncode == EXIT_OK, ended.stderr
    assert len(contents(open_store(str(tmp_path / "out")))) == 2
