"""`translate models`, each call a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from reference_networks import PatchReference, ResnetReference, UnetReference, trained_like

from tests.unit.models.test_ncnn import small_files
from translate.registry import open_model

TRANSLATE = Path(sys.executable).with_name("translate")


@pytest.fixture
def call(tmp_path):
    def run(*args):
        env = {**os.environ, "TRANSLATE_REGISTRY": str(tmp_path / "registry")}
        return subprocess.run([TRANSLATE, "models", *args], capture_output=True, text=True, timeout=120, check=False,
                              cwd=tmp_path, env=env)

    return run


@pytest.fixture
def zebra(tmp_path):
    network = trained_like(ResnetReference(width=4, blocks=6, antialiased=True))
    (tmp_path / "zebra").mkdir()
    torch.save(network.state_dict(), tmp_path / "zebra" / "latest_net_G.pth")
    return network


def test_import_list_show(call, zebra, tmp_path):
    done = call("import", "zebra/latest_net_G.pth", "--name", "horse2zebra")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "horse2zebra@1: resnet, width 4, 6 blocks, antialiased, instance norm\n"

    listed = call("list").stdout.splitlines()
    assert listed[0].split() == ["MODEL", "POINTER", "FROM", "TO", "ARCHITECTURE", "WHERE"]
    assert any(line.startswith("horse2zebra@1 ") and line.endswith("/registry") for line in listed)
    lines = [json.loads(line) for line in call("list", "--json").stdout.splitlines()]
    facts = {each["model"]: each["facts"] for each in lines}
    assert facts["horse2zebra@1"]["config"]["blocks"] == 6

    shown = call("show", "horse2zebra").stdout
    assert "imported_from" in shown
    assert "latest_net_G.pth" in shown
    values = {line.index(line.split(":", 1)[1].strip()) for line in shown.splitlines() if ": " in line}
    assert len(values) == 1, "labels of any length, and the values below each other"
    assert facts["horse2zebra@1"]["digest"] in shown
    document = json.loads(call("show", "horse2zebra@1", "--json").stdout)
    assert (document.pop("event"), document.pop("time") > lines[0]["time"]) == ("model", True)
    assert (document.pop("evaluations"), document.pop("pointers")["champion"]) == ([], None)
    assert document == facts["horse2zebra@1"]

    x = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        expected = zebra(x)
    translator = open_model("horse2zebra", str(tmp_path / "registry"))
    assert (translator(x) - expected).abs().max() <= 1e-5


def test_import_of_a_unet_with_dropout_into_another_registry(call, tmp_path):
    network = trained_like(UnetReference(width=4, levels=7, dropout=True))
    torch.save(network.state_dict(), tmp_path / "maps.pth")
    done = call("import", "maps.pth", "--name", "maps", "--dropout", "--registry", "other", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["config"]["dropout"] is True
    assert (tmp_path / "other" / "maps" / "1" / "model.json").is_file()


def test_import_of_some_blocks_of_a_network_in_ncnns_form(call, tmp_path):
    for suffix, data in zip((".param", ".bin"), small_files(), strict=True):
        (tmp_path / f"small{suffix}").write_bytes(data)
    done = call("import", "small.param", "--name", "thin", "--keep-blocks", "0,0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "thin@1: rrdb, width 4, 2 blocks, no norm\n"
    for words, said in (("0,9", "there is no block 9"), ("first", "'first' is not a list of numbers such as 0,4,8")):
        done = call("import", "small.param", "--name", "thin", "--keep-blocks", words)
        assert done.returncode == 2
        assert said in done.stderr


def test_what_cannot_be_imported(call, tmp_path):
    torch.save(PatchReference(width=4).state_dict(), tmp_path / "latest_net_D.pth")
    done = call("import", "latest_net_D.pth", "--name", "d")
    assert done.returncode == 2
    assert "is a discriminator, not a generator" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "registry").exists()


def test_an_unknown_model(call):
    done = call("show", "nothing")
    assert done.returncode == 2
    assert "no model 'nothing'" in done.stderr
