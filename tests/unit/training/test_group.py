"""Workers that train together: the same images, the same history, the same steps as one alone."""

import io
import json

import pytest
import torch
from processes import exchange_numbers, together, train_part
from training_set import TINY

from translate.config import Training, validate
from translate.errors import ConfigError
from translate.stores import open_store
from translate.training.data import TrainingData
from translate.training.group import Alone, part_of_batch
from translate.training.loop import train
from translate.training.state import committed

OPTIONS = TINY | {
    "images": 4,
    "batch": 4,
    "pool": 4,
    "precision": "float32",
}


class Second(Alone):
    rank = 1
    size = 2


def training(**changes):
    return validate(Training, OPTIONS | changes, "test")


def checkpoint(output, seen):
    return torch.load(io.BytesIO(output.get(f"checkpoints/{seen:010d}.pt").data), weights_only=True)


def losses(output):
    lines = [json.loads(line) for line in output.get("status.jsonl").data.splitlines()]
    beside = ("images", "seconds", "rate", "images_per_s")
    return [{key: value for key, value in line.items() if key not in beside} for line in lines]


def test_parts_follow_each_other():
    assert part_of_batch(8, Alone()) == slice(0, 8)
    assert part_of_batch(8, Second()) == slice(4, 8)


def test_a_batch_that_cannot_be_divided_is_refused(data):
    with pytest.raises(ConfigError, match="batch 3 can't be divided among 2 workers"):
        train(training(batch=3), data, data, group=Second())


def test_parts_of_batches_are_the_batch(data):
    images = TrainingData(data, training().data, seed=0)
    parts = [images.batches(4, 4, part) for part in (slice(0, 2), slice(2, 4))]
    for start in (4, 8, 12, 16, 20):
        whole = images.batch(start, 4)
        halves = [next(part) for part in parts]
        assert torch.equal(torch.cat([half["a"] for half in halves]), whole["a"])
        assert torch.equal(torch.cat([half["b"] for half in halves]), whole["b"])


def test_a_group_averages_gathers_and_agrees(tmp_path):
    together(2, exchange_numbers, str(tmp_path))
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert torch.equal(found["average"][0], torch.full((2, 3), 0.5))
        assert found["average"][1].isnan().all()
        assert found["gathered"].shape == (4, 1, 4, 4)
        assert found["gathered"].dtype is torch.bfloat16
        assert found["gathered"][:, 0, 0, 0].tolist() == [0, 0, 1, 1]
        assert found["agreed"] == 10.0


@pytest.mark.parametrize(("game", "tensors"), [
    ("cyclegan", 2 * 9 + 2 * 5),  # weights of both generators and their last bias; both discriminators
    ("cut", 9 + 2 + 16 + 5),  # also two biases that are features, and four layers of heads
])
def test_two_workers_have_the_gradients_of_one(data, tmp_path, game, tensors):
    """Adam's first moment after one step is the gradient, times 1 - beta."""
    alone, pair = open_store(str(tmp_path / "alone")), open_store(str(tmp_path / "pair"))
    options = training(objective={"name": game})
    train(options, data, alone)
    together(2, train_part, options, data.url, pair.url)
    one, two = checkpoint(alone, 4), checkpoint(pair, 4)
    compared = 0
    for player in ("generator", "discriminator"):
        for number, moments in one["optimizers"][player]["state"].items():
            mine = moments["exp_avg"].flatten().double()
            theirs = two["optimizers"][player]["state"][number]["exp_avg"].flatten().double()
            if mine.norm() < 1e-5:  # a bias that instance norm takes away again: its gradient is rounding
                assert theirs.norm() < 1e-5
                continue
            assert torch.cosine_similarity(mine, theirs, dim=0) > 0.9999
            assert (mine - theirs).norm() < 1e-4 * mine.norm()
            compared += 1
    assert compared == tensors
    assert torch.equal(one["random"], two["random"])
    for name, images in one["pools"].items():
        assert torch.allclose(torch.stack(images), torch.stack(two["pools"][name]), atol=1e-4)


def test_two_workers_go_the_way_of_one(data, tmp_path, monkeypatch):
    """Rounding differs, and the game makes more of it: as much as one worker with one thread and with two."""
    monkeypatch.setattr("translate.training.loop.STATUS_SECONDS", 0)
    alone, pair = open_store(str(tmp_path / "alone")), open_store(str(tmp_path / "pair"))
    train(training(images=80), data, alone)
    together(2, train_part, training(images=80), data.url, pair.url)
    apart = [max(abs(one[key] - two[key]) / abs(one[key]) for key in one)
             for one, two in zip(losses(alone), losses(pair), strict=True)]
    assert len(apart) == 20
    assert max(apart[:6]) < 1e-3
    assert max(apart) < 0.02


def test_never_resuming_forgets_what_was_there(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    train(training(images=12), data, output)
    train(training(images=8), data, output, resume=False)
    assert committed(output) == [0, 8]
