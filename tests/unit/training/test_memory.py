"""What a training will take, told before it starts."""

import json
import re
import subprocess
import sys

import pytest
import torch

from translate.config import Training, validate
from translate.engines import sizes
from translate.errors import ConfigError
from translate.training import memory
from translate.training.data import CACHE_BYTES

SETTINGS = {
    "objective": {"name": "cyclegan"},
    "generator": {"architecture": "resnet", "width": 16, "blocks": 2},
    "discriminator": {"architecture": "patchgan", "width": 8, "layers": 2},
    "data": {"kind": "unpaired", "short_side_px": [256, 256], "crop_px": 128},
    "images": 6, "batch": 4, "pool": 4, "precision": "float32",
}


def training(**changes):
    return validate(Training, SETTINGS | changes, "test")


def cropped(crop_px):
    return training(data=SETTINGS["data"] | {"crop_px": crop_px})


def test_what_lasts_follows_from_the_networks():
    found = memory.estimate(training())
    per_parameter = 4
    assert found.gradients == found.weights > 0
    assert found.optimizer == 2 * found.gradients
    assert found.averages < found.weights
    assert found.history == 2 * 4 * 3 * 128 * 128 * per_parameter
    best = memory.estimate(training(evaluation={"every_images": 2}))
    assert best.averages == 2 * found.averages + found.weights


def test_activations_grow_with_pixels():
    one = memory.estimate(training()).activations
    assert memory.estimate(training(batch=8)).activations == pytest.approx(2 * one, rel=0.05)
    assert memory.estimate(cropped(256)).activations == pytest.approx(4 * one, rel=0.05)
    assert memory.estimate(training(batch=8), workers=2).activations == one
    assert memory.estimate(training(precision="bfloat16")).activations < 0.9 * one


def test_known_answers_are_a_part_of_the_batch():
    answered = training(data=SETTINGS["data"] | {"answers_a": "x"})
    assert memory.estimate(answered).batches > memory.estimate(training()).batches


def test_random_numbers_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    memory.estimate(training(objective={"name": "cut", "flip_equivariance": True, "augment": ["colour"]}))
    assert torch.equal(torch.rand(4), expected)


def test_what_would_fit_is_named_and_is_the_largest(monkeypatch):
    there = memory.estimate(training()).needed * 3 // 4
    monkeypatch.setattr(sizes, "available_bytes", lambda: there)
    with pytest.raises(ConfigError, match=r"crop 128, batch 4 and width 16") as refused:
        memory.check_memory(training())
    named = dict(re.findall(r"--set train\.([a-z_.]+)=(\d+)", str(refused.value)))
    assert set(named) == {"batch", "data.crop_px", "generator.width"}
    batch, crop, width = (int(named[key]) for key in ("batch", "data.crop_px", "generator.width"))
    assert crop % 4 == 0

    def wide(channels):
        return training(generator=SETTINGS["generator"] | {"width": channels})

    for fitting, next_one in ((training(batch=batch), training(batch=batch + 1)), (cropped(crop), cropped(crop + 4)),
                              (wide(width), wide(width + 4))):
        assert memory.check_memory(fitting).fits
        assert not memory.estimate(next_one).fits


def test_workers_divide_the_batch_that_would_fit(monkeypatch):
    there = memory.estimate(training(batch=4)).needed
    monkeypatch.setattr(sizes, "available_bytes", lambda: there)
    with pytest.raises(ConfigError, match=r"--set train\.batch=8,"):
        memory.check_memory(training(batch=12), workers=2)


def test_workers_on_one_machine_share_its_memory(monkeypatch):
    needed = memory.estimate(training(), workers=2).needed
    monkeypatch.setattr(sizes, "available_bytes", lambda: 3 * needed // 2)
    assert memory.check_memory(training(), workers=2, here=1).fits, "the other one is elsewhere"
    with pytest.raises(ConfigError, match="are available for each of 2 workers here, with crop 128"):
        memory.check_memory(training(), workers=2, here=2)


def test_a_gpu_has_its_own_memory(monkeypatch):
    monkeypatch.setattr(sizes, "available_bytes", lambda: 2**20)  # main memory would never do
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (8 * 2**30, 16 * 2**30))
    found = memory.check_memory(training(), device=torch.device("cuda"))
    assert found.cache == CACHE_BYTES
    assert " of 8.0 GiB available on the GPU (" in found.words()


def test_nothing_alone_would_fit(monkeypatch):
    monkeypatch.setattr(sizes, "available_bytes", lambda: 10 * 2**20)
    with pytest.raises(ConfigError, match="no smaller batch, crop or width alone would fit"):
        memory.check_memory(training())


def test_images_are_kept_as_long_as_there_is_room(monkeypatch):
    needed = memory.estimate(training()).needed
    for there, cache in ((None, CACHE_BYTES), (needed, 0), (needed + 5 * 2**20, 5 * 2**20), (2**40, CACHE_BYTES)):
        monkeypatch.setattr(sizes, "available_bytes", lambda there=there: there)
        assert memory.check_memory(training()).cache == cache


def test_in_words(monkeypatch):
    monkeypatch.setattr(sizes, "available_bytes", lambda: 8 * 2**30)
    words = memory.estimate(training()).words()
    assert re.match(r"memory: \d+ MiB of 8\.0 GiB available \(weights 2 MiB, .*activations \d+ MiB", words)
    assert words.endswith("and up to 2.0 GiB for images")
    assert "\n" not in words


REAL = """
import json, re, sys
import torch
from training_set import picture, png
from translate.config import Training, validate
from translate.stores import open_store
from translate.training import memory
from translate.training.loop import train

def resident(key):
    return int(re.search(rf"^{key}:\\s+(\\d+) kB$", open("/proc/self/status").read(), re.MULTILINE)[1]) * 1024

torch.set_num_threads(1)
training = validate(Training, json.loads(sys.argv[1]), "test")
data = open_store("memory://data/")
for folder in ("trainA", "trainB"):
    for i in range(2):
        data.put(f"{folder}/{i}.png", png(picture(i, 256)))
needed = memory.estimate(training).needed
before = resident("VmRSS")
train(training, data, open_store(sys.argv[2]))
print(json.dumps({"needed": needed, "took": resident("VmHWM") - before}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("batch", [2, 8])
def test_a_real_training_takes_about_as_much(batch, tmp_path):
    settings = SETTINGS | {"batch": batch, "images": 3 * batch}
    done = subprocess.run([sys.executable, "-c", REAL, json.dumps(settings), str(tmp_path)], capture_output=True,
                          text=True, timeout=280, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    seen = json.loads(done.stdout.splitlines()[-1])
    assert 0.6 < seen["took"] / seen["needed"] < 1.05, seen
