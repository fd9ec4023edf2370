"""What the Ray executor decides before Ray comes into it."""

import socket

import pytest
from ray.exceptions import OutOfMemoryError, RayError

from pipelines import batch
from translate.errors import UsageError


@pytest.mark.parametrize(
    ("nodes", "workers", "expected"),
    [
        ([2], None, (1, 2.0)),
        ([16], None, (8, 2.0)),
        ([8, 8], 4, (4, 2.0)),
        ([3], 2, (2, 1.0)),
        ([2], 4, (4, 0.5)),
        ([1, 1, 1, 1], None, (4, 1.0)),  # two processors for each would never be found on one node
        ([0, 3, 3], None, (2, 2.0)),
        ([0], 3, (3, 2.0)),  # a head without processors: an autoscaler brings nodes
        ([], None, (1, 2.0)),
    ],
)
def test_workers_fit_on_the_nodes(nodes, workers, expected):
    assert batch.share_out(nodes, workers) == expected


def test_a_ray_address_where_nobody_answers_is_an_error_at_once(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(batch.ray, "is_initialized", lambda: False)  # other tests may have started Ray
    with pytest.raises(UsageError, match=f"RAY_ADDRESS={address}: nobody answers there .*unset it"):
        batch._connect()


def test_the_reason_of_a_death_is_one_line():
    assert batch._reason(OutOfMemoryError("1 worker(s) were killed.\nUsage: ...\nRefer to the documentation")) == (
        "1 worker(s) were killed"
    )
    assert batch._reason(RayError("The actor died.\n\nModuleNotFoundError: No module named 'x'\n")) == (
        "ModuleNotFoundError: No module named 'x'"
    )
