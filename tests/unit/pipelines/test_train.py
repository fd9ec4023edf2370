"""What training on Ray decides before Ray comes into it."""

import pytest

from pipelines import train
from translate.config import Training, validate
from translate.errors import ConfigError, UsageError
from translate.stores import open_store

TRAINING = {
    "objective": {"name": "cyclegan"},
    "generator": {"architecture": "resnet"},
    "discriminator": {"architecture": "patchgan"},
    "data": {"kind": "unpaired", "short_side_px": [32, 48], "crop_px": 32},
    "images": 8,
    "batch": 4,
}


@pytest.mark.parametrize(
    ("nodes", "workers", "expected"),
    [
        ([2], 1, 2),
        ([2], 2, 1),
        ([2], 3, 0),
        ([16, 16], 4, 8),
        ([16, 4], 3, 5),  # three of five on the large node, since the small one has no six
        ([0, 3, 3], 2, 3),
        ([], 1, 0),
    ],
)
def test_every_worker_gets_whole_processors_of_one_node(nodes, workers, expected):
    assert train.share_out(nodes, workers) == expected


def test_what_cannot_work_is_refused_before_anything_starts(tmp_path):
    training = validate(Training, TRAINING, "test")
    folder, memory = open_store(str(tmp_path)), open_store("memory://test")
    with pytest.raises(ConfigError, match="batch 4 can't be divided among 3 workers"):
        train.train(3, training, folder, folder)
    with pytest.raises(UsageError, match="in the memory of this process"):
        train.train(2, training, folder, memory)


def test_too_few_processors_are_named():
    with pytest.raises(UsageError, match="4 workers need a processor each, and Ray has 2; ask for at most 2"):
        train._refuse_too_few(4, [2.0])
