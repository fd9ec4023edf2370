"""A training that is killed outright, several times, ends with the weights of one that was left alone."""

import signal
import subprocess
import sys
import time

import pytest
import yaml
from safetensors.torch import load_file
from training_set import WAVES, picture, png

from translate.stores import open_store

pytestmark = pytest.mark.slow

IMAGES = 240


def start(folder, name):
    program = "import torch; torch.set_num_threads(1); from translate.cli.app import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "train", "--pipeline", "waves.yaml", "--data", "data", "--output", name,
         "--registry", f"models-{name}", "--publish", "waves", "--json"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def newest_checkpoint(output):
    return max((int(path.stem) for path in output.glob("checkpoints/*.json")), default=-1)


def test_killed_at_several_points_it_ends_with_the_same_bits(tmp_path):
    training = WAVES["training"] | {"images": IMAGES, "precision": "float32", "checkpoint_every_images": 20,
                                       "weights": "float32", "sample_every_images": 60}
    (tmp_path / "waves.yaml").write_text(yaml.safe_dump(WAVES | {"training": training}))
    data = open_store(str(tmp_path / "data"))
    for i in range(5):
        data.put(f"trainA/{i}.png", png(picture(i)))
        data.put(f"trainB/{i}.png", png(255 - picture(i)))

    alone = start(tmp_path, "alone")
    _, said = alone.communicate(timeout=300)
    assert alone.returncode == 0, said

    killed_at = []
    for after in (0, 60, 140):
        process = start(tmp_path, "killed")
        while newest_checkpoint(tmp_path / "killed") < after:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        time.sleep(0.03)  # into the steps behind the checkpoint
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        killed_at.append(newest_checkpoint(tmp_path / "killed"))
    last = start(tmp_path, "killed")
    _, said = last.communicate(timeout=300)
    assert last.returncode == 0, said

    assert killed_at == sorted(killed_at)
    assert killed_at[-1] < IMAGES
    for model in ("waves", "unwaves"):
        for file in ("weights.safetensors", "roles.safetensors"):
            whole = load_file(tmp_path / f"models-alone/{model}/1/{file}")
            parts = load_file(tmp_path / f"models-killed/{model}/1/{file}")
            assert whole.keys() == parts.keys()
            for key, tensor in whole.items():
                assert tensor.equal(parts[key]), f"{model}/{file}: {key}"
