"""`translate train --workers` on a real Ray: the same outcome, through deaths; the same errors; nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from training_set import TINY, picture, png

from pipelines.train import train as train_on_ray
from translate.config import Training, validate
from translate.errors import DataError
from translate.stores import open_store
from translate.training.loop import train as train_alone

TRAINING = TINY | {
    "images": 80,
    "batch": 4,
    "pool": 4,
    "precision": "float32",
    "checkpoint_every_images": 8,
}

pytestmark = [
    pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),  # Ray of itself
]


@pytest.fixture
def place(tmp_path):
    store = open_store(str(tmp_path / "data"))
    for i in range(6):
        store.put(f"trainA/{i}.png", png(picture(i)))
        store.put(f"trainB/{i}.png", png(255 - picture(i)))
    return tmp_path


def workers_of(process):
    """Ray's training workers among a process's descendants."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:  # ended meanwhile
            continue

    def descends(pid):
        return pid == process or (pid in parents and descends(parents[pid]))

    return [pid for pid, name in names.items() if name.startswith("ray::") and "TrainWorker" in name and descends(pid)]


def last_losses(output):
    line = json.loads(output.get("status.jsonl").data.splitlines()[-1])
    return {key: line[key] for key in ("G_ab", "cycle_a", "identity_a", "D_a", "G_ba", "cycle_b", "identity_b", "D_b")}


def test_two_workers_of_which_one_is_killed_go_the_way_of_one(place):
    training = validate(Training, TRAINING, "test")
    data, alone, pair = (open_store(str(place / name)) for name in ("data", "alone", "pair"))
    notes, killed = [], []

    def listen(progress):
        notes.append(progress)
        if not killed and progress.done > 8:
            killed.append(workers_of(os.getpid())[-1])
            os.kill(killed[0], signal.SIGKILL)

    trained = train_on_ray(2, training, data, pair, on_progress=listen)
    assert killed
    assert any("a worker died; starting again from" in progress.note for progress in notes)
    assert trained.seen == notes[-1].done == 80
    torch.set_num_threads(1)
    expected = train_alone(training, data, alone)
    assert expected.seen == 80
    found = last_losses(pair)
    apart = {key: abs(found[key] - loss) / abs(loss) for key, loss in last_losses(alone).items()}
    print(apart)
    assert max(apart.values()) < 0.02
    assert workers_of(os.getpid()) == []


def test_a_workers_mistake_arrives_as_it_is(place):
    data = open_store(str(place / "data"))
    data.put("trainB/3.png", png(picture(3))[:200])
    with pytest.raises(DataError, match="trainB/3"):
        train_on_ray(2, validate(Training, TRAINING, "test"), data, open_store(str(place / "out")))


def test_an_interrupt_ends_the_workers(place):
    pipeline = {"name": "waves", "summary": "Colours to their inverse.", "domains": {"a": "wave", "b": "inverse"},
                "training": TRAINING | {"images": 10**6}}
    (place / "waves.yaml").write_text(yaml.safe_dump(pipeline))
    command = [str(Path(sys.executable).with_name("translate")), "train", "--pipeline", "waves.yaml", "--data", "data",
               "--workers", "2", "--json"]
    with subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if json.loads(line)["progress"]["done"] > 0:
                break
        workers = workers_of(running.pid)
        running.send_signal(signal.SIGINT)
        running.stderr.read()
        assert running.wait() == 130
    assert len(workers) == 2
    deadline_s = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
