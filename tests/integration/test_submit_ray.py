"""`translate submit` to a real Ray cluster whose machines have not this program: its life from id to exit code."""

from __future__ import annotations

import json
import os
import time
from functools import partial

import pytest
from jobs import contents, fill, publish_tiny
from ray_cluster import TOKEN, Cluster

from translate.errors import EXIT_ITEMS_FAILED, EXIT_LOCKED, EXIT_OK, EXIT_STORAGE, EXIT_TERMINATED
from translate.stores import open_store

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1500)]

IMAGES = 600
STOP = """
import os, sys
del os.environ["RAY_ADDRESS"]
from ray.job_submission import JobSubmissionClient
JobSubmissionClient(sys.argv[1]).stop_job(sys.argv[2])
"""
EVERYTHING = """
import os, sys
del os.environ["RAY_ADDRESS"]
from ray.job_submission import JobSubmissionClient
print([job.model_dump_json() for job in JobSubmissionClient(sys.argv[1]).list_jobs()])
"""
SUBMIT_TWICE_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pipelines.submit import RayCluster
from translate.errors import LockedError

def submit(_):
    try:
        return RayCluster(sys.argv[1]).submit(["--version"], output="memory://rivals/", files=[], environment={})
    except LockedError as error:
        return f"locked: {error}"

with ThreadPoolExecutor(2) as threads:
    print(*threads.map(submit, range(2)), sep="\\n")
"""
FOLLOW_WITH_LITTLE_PATIENCE = """
import sys
from pipelines import submit
from translate.errors import ClusterError

submit.PATIENCE_S = 5
try:
    submit.RayCluster(sys.argv[1]).follow(sys.argv[2], lambda line: print(line, flush=True))
except ClusterError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def cluster():
    with Cluster(jobs=True) as running:
        yield running


@pytest.fixture
def registry(tmp_path):
    return publish_tiny(tmp_path / "models")


@pytest.fixture
def python(start, tmp_path):
    """A process with this program, in the user's working folder, whose Ray would go elsewhere by itself."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.yaml").write_text(
        "name: mine\nsummary: s\ndomains: {a: x, b: y}\nmodel: tiny\nrun: {format: webp}\n"
    )
    return partial(start, cwd=tmp_path / "here", env={**os.environ, **TOKEN, "RAY_ADDRESS": "127.0.0.1:1"})


@pytest.fixture
def submit(python, cluster, registry, tmp_path):
    """`translate submit`, begun."""
    def begin(*flags, source="in", output="out"):
        return python("-m", "translate", "submit", "--address", cluster.jobs_url, *flags, "--", "run", "--pipeline",
                      "mine.yaml", "--registry", registry, "--input", tmp_path / source, "--output", tmp_path / output)

    return begin


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def test_from_id_to_exit_code(cluster, python, submit, tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES)
    running = submit("--json")
    first = json.loads(running.wait_for('"submitted"'))
    job = first["job"]
    assert job.startswith("translate-")
    assert job.endswith("-1")
    code, _, err = submit("--no-wait").end()
    assert code == EXIT_LOCKED
    assert f"job {job} is at this output already" in err

    output = open_store(str(tmp_path / "out"))
    until_s = time.monotonic() + 900
    while not contents(output):
        assert time.monotonic() < until_s, running.err
        time.sleep(0.2)
    code, _, err = python("-c", STOP, cluster.jobs_url, job).end()
    assert code == EXIT_OK, err
    code, out, err = running.end()
    assert code == EXIT_TERMINATED, err
    *_, stopped, last = events(out)
    assert (stopped["event"], last["event"], last["exit_code"]) == ("stopped", "job_ended", EXIT_TERMINATED)
    assert {"log", "progress"} <= {event["event"] for event in events(err)}

    code, out, err = submit().end()  # the same command goes on with the same run, as attempt 2
    assert code == EXIT_OK, err
    assert out.startswith(f"job {job[:-1]}2 at {cluster.jobs_url}\n")
    assert f"{IMAGES} of {IMAGES} images" in out
    assert len(contents(output)) == IMAGES
    assert len(list((tmp_path / "out" / "_translate" / "runs").iterdir())) == 1

    shown = python("-c", EVERYTHING, cluster.jobs_url).end()[1]
    assert job in shown
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in shown


def test_a_run_that_fails_gives_its_own_exit_code(submit, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no picture")
    code, out, err = submit().end()
    assert code == EXIT_ITEMS_FAILED, err
    assert "1 of 1 images failed" in out


def test_of_two_at_once_one_is_told(cluster, python):
    code, out, err = python("-c", SUBMIT_TWICE_AT_ONCE, cluster.jobs_url).end()
    assert code == EXIT_OK, err
    sent, told = sorted(out.splitlines(), key=lambda line: line.startswith("locked"))
    assert sent.startswith("translate-")
    assert told.startswith(f"locked: job {sent} ")


def test_a_cluster_that_is_lost_is_told_of(cluster, python, submit, tmp_path):
    """The last one: it takes the head away."""
    fill(open_store(str(tmp_path / "in")), IMAGES)
    code, out, err = submit("--no-wait").end()
    assert code == EXIT_OK, err
    following = python("-c", FOLLOW_WITH_LITTLE_PATIENCE, cluster.jobs_url, out.split()[1])
    following.wait_for("Running entrypoint")
    cluster.kill(cluster.running[-1])
    code, out, _ = following.end()
    assert code == EXIT_STORAGE
    assert "has not answered for 5 s" in out
