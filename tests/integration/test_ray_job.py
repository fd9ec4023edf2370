"""The line of docs/running.md with `ray job submit`, as it is written there, on a real Ray cluster."""

from __future__ import annotations

import os
import sysconfig
import time
from functools import partial
from pathlib import Path

import pytest
from jobs import contents, fill, publish_tiny
from manifests import jobs
from ray_cluster import TOKEN, Cluster

from translate.errors import EXIT_LOCKED, EXIT_OK
from translate.stores import open_store

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1500)]

IMAGES = 3000
PIPELINE = "name: mine\nsummary: s\ndomains: {a: x, b: y}\nmodel: tiny\nrun: {format: webp}\n"


@pytest.fixture(scope="module")
def cluster():
    with Cluster(jobs=True) as running:
        yield running


@pytest.fixture
def ray(start, tmp_path):
    """The command `ray`, in the folder that holds ``job/``."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "mine.yaml").write_text(PIPELINE)
    return partial(start, "-m", "ray.scripts.scripts", cwd=tmp_path, env={**os.environ, **TOKEN})


@pytest.fixture
def line(cluster, tmp_path):
    """The words behind ``ray``, with this test's places and another submission id."""
    # A network that takes its time: the first job is still at work when the second is there.
    registry = publish_tiny(tmp_path / "models", width=48, blocks=6)
    [(_, *written)] = [words for where, words in jobs() if where == "running.md" and words[0] == "ray"]

    def words(job: str, *, submit: tuple[str, ...] = ()) -> list[str]:
        places = {"http://HEAD:8265": cluster.jobs_url, "photos-1": job, "s3://bucket/in/": str(tmp_path / "in"),
                  "s3://bucket/out/": str(tmp_path / "out"),
                  "translate": str(Path(sysconfig.get_path("scripts"), "translate"))}
        found = [places.get(word, word) for word in written]
        return [*found[:2], *submit, *found[2:], "--registry", registry]

    return words


def test_a_job_is_alone_at_its_output_is_stopped_gently_and_resumed(cluster, ray, line, tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES)
    code, _, err = ray(*line("photos-1", submit=("--no-wait",))).end()
    assert code == EXIT_OK, err
    output, until_s = open_store(str(tmp_path / "out")), time.monotonic() + 600
    while not contents(output):
        assert time.monotonic() < until_s
        time.sleep(0.2)

    code, out, _ = ray(*line("photos-2")).end()
    assert code == 1
    assert f"exit code {EXIT_LOCKED}" in out
    code, out, err = ray("job", "stop", "--address", cluster.jobs_url, "photos-1").end()
    assert code == EXIT_OK, err
    assert "was stopped" in out
    assert 0 < len(contents(output)) < IMAGES
    code, _, err = ray(*line("photos-1")).end()
    assert code != EXIT_OK
    assert "already exists" in err

    code, out, err = ray(*line("photos-3")).end()
    assert code == EXIT_OK, err
    assert f"{IMAGES} of {IMAGES} images" in out
    assert len(contents(output)) == IMAGES
    assert len(list((tmp_path / "out" / "_translate" / "runs").iterdir())) == 1
