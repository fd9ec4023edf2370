"""Every game and every adversarial term is trained: it stays finite, it learns, it resumes where it was."""

import json
import math

import pytest
import torch
from small_games import GAMES
from training_set import picture, png

from translate.config import Training, validate
from translate.images import codec
from translate.stores import open_store
from translate.training.loop import train

every_game = pytest.mark.parametrize("name", GAMES)


def training(name, **changes):
    objective, discriminator = GAMES[name]
    return validate(Training, {
        "objective": objective, "discriminator": discriminator,
        "generator": {"architecture": "resnet", "width": 8, "blocks": 2, "sampling": "antialiased"},
        "data": {"kind": "paired" if name.startswith("pix2pix") else "unpaired", "short_side_px": [32, 48],
                 "crop_px": 32, "a": "trainA", "b": "trainB"},
        "images": 8, "batch": 2, "pool": 4, "sample_every_images": 1000, "checkpoint_every_images": 4,
    } | changes, "test")


def losses(output):
    """Lines of the status without the clock's figures."""
    lines = [json.loads(line) for line in output.get("status.jsonl").data.splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "images_per_s")} for line in lines]


@every_game
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_handful_of_steps(name, precision, data, tmp_path):
    output = open_store(str(tmp_path / "out"))
    trained = train(training(name, precision=precision), data, output)
    assert all(math.isfinite(value) for line in losses(output) for value in line.values())
    for network in trained.generators.values():
        assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


@pytest.mark.parametrize("name", ["cut", "fastcut", "cyclegan-wgan_gp", "cyclegan-r1-ramp", "pix2pix-hd"])
def test_what_draws_by_chance_goes_on_exactly_where_it_was(name, data, tmp_path):
    """Heads, patches, mirrors, penalties and augmentation are part of the checkpoint or follow from it."""
    whole = train(training(name, precision="float32"), data, open_store(str(tmp_path / "whole")))

    class StopError(Exception):
        pass

    def stop(progress):
        if progress.done == 6:
            raise StopError

    parts = open_store(str(tmp_path / "parts"))
    with pytest.raises(StopError):
        train(training(name, precision="float32"), data, parts, on_progress=stop)
    resumed = train(training(name, precision="float32"), data, parts)
    for role, network in whole.generators.items():
        again = resumed.generators[role].state_dict()
        assert all(torch.equal(value, again[key]) for key, value in network.state_dict().items())


def test_identity_fades(data, tmp_path):
    """The way is counted in images: of two, the last is seen at the half, where this game's identity term ends."""
    found = {}
    for images in (1, 2):
        output = open_store(str(tmp_path / f"out{images}"))
        train(training("cyclegan-r1-ramp", precision="float32", images=images, batch=1), data, output)
        found[images] = losses(output)[-1]
    assert found[1]["identity_a"] > 0
    assert "identity_a" not in found[2]


def test_heads_learn(data, tmp_path):
    """Adam moves them with the generator: the checkpoint's heads are not those of the start."""
    output = open_store(str(tmp_path / "out"))
    train(training("cut", precision="float32"), data, output)
    kept = [torch.load(file, weights_only=True)["networks"]["F_ab"]
            for file in sorted((tmp_path / "out" / "checkpoints").glob("*.pt"))]
    assert len(kept) == 2
    assert all(not torch.equal(kept[0][key], kept[1][key]) for key in kept[0])


@pytest.mark.slow
@every_game
def test_two_hundred_steps(name, tmp_path):
    """Losses stay finite, and what the generators make is neither flat nor off the scale; leaves a picture."""
    data = open_store(str(tmp_path / "data"))
    for i in range(16):
        data.put(f"trainA/{i}.png", png(picture(i)))
        data.put(f"trainB/{i}.png", png(255 - picture(i)))
    output = open_store(str(tmp_path / "out"))
    changes = {"images": 800, "batch": 4, "learning_rate": 1e-3, "ema_half_life_images": 40,
               "checkpoint_every_images": 800, "sample_every_images": 200}
    train(training(name, **changes), data, output)
    assert all(math.isfinite(value) for line in losses(output) for value in line.values())
    sheet = codec.decode(output.get("samples/0000000800.png").data).pixels
    made = sheet[-36:-4, :32]  # a translation: the last row's first, 32 px above a gap of 4
    assert 10 < made.std() < 125
