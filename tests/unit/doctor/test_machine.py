"""What the machine is said to have, by this one and by others written down in files."""

from __future__ import annotations

import os

import pytest
import torch

from translate.doctor.machine import gpu, machine, memory, threads, usable_cores
from translate.engines.torch import has_bfloat16

HERE = len(os.sched_getaffinity(0))


def test_here():
    lines = {each.what: each for each in machine()}
    assert list(lines) == ["processor", "gpu", "threads", "memory"]
    assert ("bfloat16" in lines["processor"].found) == has_bfloat16("cpu")
    assert lines["threads"].found.startswith(f"{torch.get_num_threads()} of torch, ")
    assert lines["memory"].found.endswith("GB available") or "less than" in lines["memory"].found


@pytest.mark.parametrize(("count", "cores", "environment", "level", "words"), [
    (4, 4, {}, "ok", "OMP_NUM_THREADS not set"),
    (4, 4, {"OMP_NUM_THREADS": "4"}, "ok", "OMP_NUM_THREADS=4"),
    (4, 8, {}, "ok", "8 cores"),
    (64, 4, {}, "warning", "set OMP_NUM_THREADS=4"),
    (2, 0.5, {}, "warning", "set OMP_NUM_THREADS=1"),
    (1, 0.5, {}, "ok", "0.5 cores"),
    (1, 8, {"OMP_NUM_THREADS": "1"}, "warning", "unset OMP_NUM_THREADS"),
    (1, 8, {}, "warning", "unset what limits torch's threads"),
    (1, 8, {"OMP_NUM_THREADS": "1", "AWS_SECRET_ACCESS_KEY": "hush"}, "warning", "not every core"),
])
def test_threads(count, cores, environment, level, words):
    line = threads(count, cores, environment)
    assert line.level == level
    assert words in line.found + line.do
    assert "hush" not in line.found + line.do


@pytest.mark.parametrize(("text", "cores"), [
    ("max 100000", HERE), ("50000 100000", 0.5), (f"{100_000 * (HERE + 7)} 100000", HERE), (None, HERE),
])
def test_cores_of_a_container(tmp_path, text, cores):
    if text is not None:
        (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup/cpu.max").write_text(text + "\n")
    assert usable_cores(tmp_path) == cores


def test_memory():
    assert memory(None).level == "ok"
    assert (memory(8 * 10**9).level, memory(8 * 10**9).found) == ("ok", "8.0 GB available")
    assert memory(10**9).level == "warning"


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="has a GPU that works")
def test_a_gpu_that_torch_cannot_use(tmp_path):
    assert (gpu(tmp_path).level, gpu(tmp_path).found) == ("ok", "none")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    assert gpu(tmp_path).level == "warning"
