"""Reaching a Ray, and what it says."""

import socket

import pytest
from ray.exceptions import OutOfMemoryError, RayError

from pipelines import cluster
from translate.errors import UsageError


def test_a_ray_address_where_nobody_answers_is_an_error_at_once(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)  # other tests may have started Ray
    with pytest.raises(UsageError, match=f"RAY_ADDRESS={address}: nobody answers there .*unset it"):
        cluster.connect()


def test_a_ray_that_does_not_come_up_is_told_as_such(monkeypatch):
    def too_slow(**_):
        raise Exception("The current node timed out during startup. This could happen")  # noqa: TRY002 - as Ray does

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", too_slow)
    with pytest.raises(UsageError, match=r"Ray did not start .*timed out during startup.*--executor local"):
        cluster.connect()


@pytest.mark.parametrize("error", [
    ValueError("The configured object store size (11.0 GB) exceeds /dev/shm size (0.06 GB)."),
    RuntimeError("Failed to start the raylet."), OSError(28, "No space left on device"),
])
def test_a_ray_without_memory_is_told_as_such(monkeypatch, error):
    def fail(**_):
        raise error

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", fail)
    with pytest.raises(UsageError, match=r"Ray did not start .*/dev/shm.*--executor local"):
        cluster.connect()


def test_the_reason_of_a_death_is_one_line():
    killed = OutOfMemoryError("1 worker(s) were killed.\nUsage: ...\nRefer to the documentation")
    assert cluster.in_one_line(killed) == "1 worker(s) were killed"
    died = RayError("The actor died.\n\nModuleNotFoundError: No module named 'x'\n")
    guessed = RayError("Worker exit detail: code 2. End of file. Some common causes include: (1) it was killed")
    assert cluster.in_one_line(guessed) == "Worker exit detail: code 2. End of file"
    assert cluster.in_one_line(died) == "ModuleNotFoundError: No module named 'x'"
