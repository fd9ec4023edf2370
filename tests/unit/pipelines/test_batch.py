"""What the Ray executor decides before Ray comes into it."""

import pytest

from pipelines import batch


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
