"""The loop on a tiny game: it learns, it resumes exactly where it was, it refuses what it must."""

import json
import math

import pytest
import torch
from training_set import TINY, picture, png

from translate.config import Training, validate
from translate.errors import BusyError, ConfigError, TrainingError, UsageError
from translate.images import codec
from translate.images.tensors import to_tensor
from translate.stores import open_store
from translate.stores.memory import MemoryStore
from translate.training import loop
from translate.training.loop import MOST_RECOVERIES, train

UNPAIRED = TINY | {
    "images": 24,
    "batch": 2,
    "pool": 4,
    "precision": "float32",
    "checkpoint_every_images": 12,
    "sample_every_images": 12,
}


def training(**changes):
    return validate(Training, UNPAIRED | changes, "test")


def weights(trained):
    return {f"{role}.{key}": tensor for role, network in trained.generators.items()
            for key, tensor in network.state_dict().items()}


def test_it_leaves_samples_status_and_checkpoints(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    reports = []
    trained = train(training(), data, output, on_progress=reports.append)
    keys = [info.key for info in output.list()]
    assert "samples/0000000012.png" in keys
    assert "checkpoints/0000000024.pt" in keys
    assert "training.html" in keys
    assert codec.decode(output.get("samples/0000000024.png").data).pixels.std() > 0
    line = json.loads(output.get("status.jsonl").data.splitlines()[-1])
    assert {"images", "rate", "G_ab", "cycle_a", "D_b"} <= line.keys()
    assert trained.seen == reports[-1].done == 24
    assert set(trained.generators) == {"G_ab", "G_ba"}


class Busy(MemoryStore):
    """Every third put finds the store busy."""

    puts = 0

    def put(self, key, *args, **options):
        self.puts += 1
        if self.puts % 3 == 0:
            raise BusyError(f"{self.url} answered SlowDown")
        return super().put(key, *args, **options)


def test_a_busy_store_costs_time_and_nothing_else(data):
    output = Busy("night")
    train(training(), data, output)
    assert output.puts > 6
    assert {"checkpoints/0000000024.json", "training.html"} <= {info.key for info in output.list()}


def test_an_interrupted_training_equals_the_uninterrupted_one_bit_for_bit(data, tmp_path):
    whole = train(training(), data, open_store(str(tmp_path / "whole")))

    class StopError(Exception):
        pass

    def stop(progress):
        if progress.done == 18:  # six images after the checkpoint at 12: they are lost and done again
            raise StopError

    parts = open_store(str(tmp_path / "parts"))
    with pytest.raises(StopError):
        train(training(), data, parts, on_progress=stop)
    resumed = train(training(), data, parts)
    for key, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[key]), key


def test_nothing_is_left_to_do_for_a_finished_training(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    first = train(training(), data, output)
    reports = []
    again = train(training(), data, output, on_progress=reports.append)
    assert not reports
    assert all(torch.equal(tensor, weights(again)[key]) for key, tensor in weights(first).items())


def test_a_checkpoint_without_its_marker_does_not_count(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    train(training(), data, output)
    output.delete("checkpoints/0000000024.json")
    reports = []
    train(training(), data, output, on_progress=reports.append)
    assert reports[0].done == 14


def test_a_damaged_checkpoint_is_refused(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    train(training(), data, output)
    output.put("checkpoints/0000000024.pt", b"damaged")
    with pytest.raises(TrainingError, match="damaged"):
        train(training(), data, output)


def test_another_configuration_is_refused(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    train(training(), data, output)
    with pytest.raises(UsageError, match="another configuration"):
        train(training(batch=4), data, output)


def test_a_paired_game_learns_to_invert(data, tmp_path):
    options = {
        "objective": {"name": "pix2pix", "adversarial_weight": 0.0},
        "data": {"kind": "paired", "short_side_px": [48, 48], "crop_px": 32},
        "images": 600, "batch": 4, "learning_rate": 5e-3, "ema_half_life_images": 20, "sample_every_images": 600,
        "checkpoint_every_images": 600,
    }
    trained = train(training(**options), data, open_store(str(tmp_path / "out")))
    generator = trained.generators["G_ab"].eval()
    unseen = to_tensor(picture(77))[None]
    with torch.inference_mode():
        error = (generator(unseen) + unseen).abs().mean()
    assert error < 0.3 * (2 * unseen).abs().mean()  # what doing nothing is off by


def test_it_gives_up_where_no_gradient_is_finite_and_says_on_which_images(data, tmp_path):
    options = {"objective": {"name": "cyclegan", "cycle_weight": 1e38}, "learning_rate": 1e-3}
    output = open_store(str(tmp_path / "out"))
    with pytest.raises(TrainingError, match=r"not finite .*images: a/\d, b/\d.* gives up"):
        train(training(**options), data, output)
    events = [json.loads(line)["event"] for line in output.get("events.jsonl").data.splitlines()]
    assert events == ["recovered"] * MOST_RECOVERIES + ["gave up"]


def test_it_recovers_at_half_the_rate_from_a_gradient_that_is_not_finite(data, tmp_path, monkeypatch):
    """A fault that comes at one place and one rate only: the loop goes back, and the second time it does not come."""
    seen = []
    exact = loop.schedules.learning_rate

    def poison(way, images, **options):
        seen.append((way, options["base"]))
        rate = exact(way, images, **options)
        return float("nan") if seen[-1] == (16, 2e-4) else rate  # NaN weights, so the next gradients are not finite

    monkeypatch.setattr(loop.schedules, "learning_rate", poison)
    output = open_store(str(tmp_path / "out"))
    trained = train(training(), data, output)
    assert trained.seen == 24
    assert seen.count((12, 1e-4)) == 1  # back at the checkpoint of 12 images, at half the rate
    assert all(bool(tensor.isfinite().all()) for tensor in weights(trained).values())
    (event,) = [json.loads(line) for line in output.get("events.jsonl").data.splitlines()]
    assert event["event"] == "recovered"
    assert event["images"] == 18


def test_the_best_snapshot_by_its_evaluations_is_the_outcome(data, tmp_path):
    for domain, sign in (("testA", 0), ("testB", 255)):
        for i in range(4):
            pixels = picture(90 + i)
            data.put(f"{domain}/{i}.png", png(sign - pixels if sign else pixels))
    options = {"data": UNPAIRED["data"] | {"test_a": "testA", "test_b": "testB"}, "images": 36, "learning_rate": 2e-2,
               "evaluation": {"every_images": 12}}
    output = open_store(str(tmp_path / "out"))
    trained = train(training(**options), data, output)
    lines = [json.loads(line) for line in output.get("evaluations.jsonl").data.splitlines()]
    assert [line["images"] for line in lines] == [12, 24, 36]
    figures = [sum(score["kid"] for score in line["scores"].values()) for line in lines]
    assert trained.seen == lines[figures.index(min(figures))]["images"]
    lowest_yet = [figure < min(figures[:i], default=math.inf) for i, figure in enumerate(figures)]
    assert [line["best"] for line in lines] == lowest_yet
    again = train(training(**options), data, output)  # from the last checkpoint, which keeps the best one too
    assert again.seen == trained.seen
    assert all(torch.equal(tensor, weights(again)[key]) for key, tensor in weights(trained).items())


def test_what_was_best_by_another_measure_does_not_count(data, tmp_path):
    for domain in ("testA", "testB"):
        for i in range(5):
            data.put(f"{domain}/{i}.png", png(picture(90 + i)))
    held_out = UNPAIRED["data"] | {"test_a": "testA", "test_b": "testB"}
    output = open_store(str(tmp_path / "out"))
    train(training(data=held_out, images=12, evaluation={"every_images": 12}), data, output)
    again = train(training(data=held_out, evaluation={"every_images": 12, "images": 4}), data, output)
    lines = [json.loads(line) for line in output.get("evaluations.jsonl").data.splitlines()]
    assert [line["best"] for line in lines] == [True, True]
    assert again.seen == 24
    assert "on 4 held-out images" in again.chosen_by


def test_starting_anew_leaves_nothing_of_the_old_training(data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    train(training(), data, output)
    train(training(sample_every_images=24), data, output, resume=False)
    assert [info.key for info in output.list("samples/")] == ["samples/0000000024.png"]


def test_an_evaluation_changes_nothing_of_the_training(data, tmp_path):
    for domain in ("testA", "testB"):
        for i in range(4):
            data.put(f"{domain}/{i}.png", png(picture(90 + i)))
    held_out = UNPAIRED["data"] | {"test_a": "testA", "test_b": "testB"}
    plain = train(training(data=held_out), data, open_store(str(tmp_path / "plain")))
    looked = train(training(data=held_out, evaluation={"every_images": 24}), data, open_store(str(tmp_path / "looked")))
    assert looked.config_digest == plain.config_digest
    assert all(torch.equal(tensor, weights(looked)[key]) for key, tensor in weights(plain).items())


def test_channels_follow_from_the_data(data, tmp_path):
    generator = UNPAIRED["generator"] | {"in_channels": 1}
    with pytest.raises(ConfigError, match="in_channels"):
        train(training(generator=generator), data, open_store(str(tmp_path / "out")))


def test_a_crop_that_the_network_cannot_take(data, tmp_path):
    options = {"data": UNPAIRED["data"] | {"crop_px": 30}}
    with pytest.raises(ConfigError, match="multiple of 4"):
        train(training(**options), data, open_store(str(tmp_path / "out")))


def test_with_minutes_the_time_left_is_told_and_no_total_of_images(data, tmp_path):
    reports = []
    trained = train(training(images=10**6), data, open_store(str(tmp_path / "out")), minutes=0.02,
                    on_progress=reports.append)
    assert 0 < trained.seen < 10**6
    assert reports[-1].total is None
    assert "0 s of training left" in reports[-1].note
