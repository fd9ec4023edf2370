"""`make gpu` works before a GPU is there: its parts run on the processor, in a small size."""

import re
from dataclasses import replace

import pytest
import torch

from tests.benchmarks import gpu

SMALL = replace(gpu.SMALL, generator={"width": 2}, games=("pix2pix",))
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def one_engine(monkeypatch):
    monkeypatch.setattr(gpu, "engine_names", lambda: ["torch-float32", "openvino-int8", "torch-cuda-float32"])


def test_every_part_has_its_rows_and_on_the_processor_nothing_fails(capsys):
    assert gpu.report("cpu", SMALL) == []
    rows = capsys.readouterr().out.splitlines()
    assert all(re.fullmatch(r"\| [^|]+ \| [^|]+ \|", row) for row in rows), rows
    for what in ("machine", "pixels of resnet, torch-float32", "pixels of unet, torch-float32",
                 "core, resnet, .* speed", "core, resnet, .* pixels .*in parts",
                 "first steps in bfloat16 .*1 of 1 games", "pix2pix: losses .* against the processor's",
                 "pix2pix: losses .* against those in float32", "training, cyclegan, .* images/s"):
        assert any(re.match(rf"\| {what}", row) for row in rows), what
    assert not any("int8" in row or "cuda" in row for row in rows)


def test_what_is_too_far_fails(capsys, monkeypatch):
    monkeypatch.setattr(gpu, "first_step", lambda _, device, __: {"G": 1.0 if device == "cpu" else 1.02})
    table = gpu.Table()
    gpu.first_steps(table, "elsewhere", SMALL)
    assert table.fails == ["pix2pix: losses of its first step in float32 against the processor's"]
    assert "2.00% apart (at most 1%) **fails** |" in capsys.readouterr().out


def test_losses_are_compared_term_by_term():
    assert gpu.apart({"G": 2.0, "l1": 1.0}, {"G": 2.0, "l1": 1.1}) == pytest.approx(0.1)
    assert gpu.apart({"G": 2.0}, {"G": float("nan")}) == float("inf")
    assert gpu.apart({"G": 2.0}, {"l1": 2.0}) == float("inf")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_exits_2(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["gpu"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "there is no NVIDIA GPU here that PyTorch can use; nothing was measured\n"
