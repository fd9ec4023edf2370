"""TensorBoard's own reader finds the values that the training wrote."""

import json
import sys

import pytest

from translate.stores import open_store
from translate.training.events import EVENTS_KEY, write_events

STATUS = [{"images": 64 * n, "seconds": 20.5 * n, "rate": 2e-4, "images_per_s": 3.125, "G_ab": 0.5 * n, "D_b": 0.25}
          for n in range(1, 6)]
SCORED = [{"images": 128, "seconds": 41.0, "scores": {"G_ab": {"kid": 0.375}, "G_ba": {"kid": 0.5}}, "best": True}]


@pytest.fixture
def output(tmp_path):
    store = open_store(str(tmp_path))
    for key, lines in (("status.jsonl", STATUS), ("evaluations.jsonl", SCORED)):
        store.put(key, "".join(json.dumps(line) + "\n" for line in lines).encode())
    return store


def read(folder):
    """Tag -> [(step, time, value)], as TensorBoard reads a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(e.step, e.wall_time, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_the_same_values(output, tmp_path):
    write_events(output, seen=320)
    found = read(tmp_path / "tensorboard")
    assert set(found) == {"loss/G_ab", "loss/D_b", "learning_rate", "images_per_s", "G_ab/kid", "G_ba/kid"}
    assert found["loss/G_ab"] == [(64 * n, 20.5 * n, 0.5 * n) for n in range(1, 6)]
    assert found["images_per_s"][-1] == (320, 102.5, 3.125)
    assert found["learning_rate"][0][2] == pytest.approx(2e-4)
    assert found["G_ab/kid"] == [(128, 41.0, 0.375)]


def test_a_resume_replaces_what_was_lost(output, tmp_path):
    write_events(output, seen=320)
    write_events(output, seen=130)
    assert [info.key for info in output.list("tensorboard/")] == [EVENTS_KEY]
    assert [step for step, _, _ in read(tmp_path / "tensorboard")["loss/D_b"]] == [64, 128]


def test_without_tensorboard_nothing_is_written(output, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    write_events(output, seen=320)
    assert list(output.list("tensorboard/")) == []
