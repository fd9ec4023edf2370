"""`translate evaluate`: a published model on a small set, to the table and to JSON."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from translate.cli.evaluate import evaluate
from translate.config import Domains
from translate.errors import EXIT_USAGE, ModelError, UnknownNameError, UsageError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.models import resnet
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry


@pytest.fixture
def arguments(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for index in range(4):
            coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            pixels = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
            (tmp_path / folder / f"{index}.png").write_bytes(encode(Picture(pixels, None, "png"), "png", 100))
    config = resnet.Config(width=4, blocks=0)
    torch.manual_seed(0)
    facts = ModelFacts(name="small", architecture="resnet", config=config.model_dump(), domains=Domains(a="a", b="b"))
    registry = str(tmp_path / "models")
    ModelRegistry(registry).publish("small", resnet.Network(config), facts, {})
    return ["--model", "small", "--registry", registry, "--data", str(tmp_path), "--source", "a", "--target", "b",
            "--size", "48"]


@pytest.fixture
def app():
    app = typer.Typer()
    app.command()(evaluate)
    return app


def test_table(app, arguments):
    done = CliRunner().invoke(app, [*arguments, "--paired"])
    assert done.exit_code == 0, done.output
    header, first = done.stdout.splitlines()[:2]
    assert header.split() == ["MEASURE", "DOING", "NOTHING", "MEAN", "COLOUR", "small@1", "BETTER"]
    assert first.startswith("kid-efficientnet-lite0")
    assert "psnr_db" in done.stdout
    assert "Real against real" in done.stdout


def test_json_has_no_infinity(app, arguments):
    same = ["a" if argument == "b" else argument for argument in arguments]
    done = CliRunner().invoke(app, [*same, "--paired", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["nothing"]["means"]["psnr_db"] is None
    assert found["nothing"]["means"]["l1"] == 0
    assert found["output"]["means"]["l1"] > 0
    assert found["source_images"] == 4


def test_metrics_and_judge_are_chosen(app, arguments):
    chosen = [*arguments, "--metrics", "fid, artefacts", "--judge", "mobilenet-v2"]
    done = CliRunner().invoke(app, [*chosen, "--real", "a"])
    assert done.exit_code == 0, done.output
    first = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert first[1:6] == ["fid-mobilenet-v2", "checkerboard_db", "droplets_percent", "luma_correlation", "variety"]
    assert "Real against real: halves of the 4 target images" in done.stdout
    assert "in fid-mobilenet-v2.\n" in done.stdout
    assert "FID is strongly biased here: 4 images against 4, for 1280 features." in done.stdout
    found = json.loads(CliRunner().invoke(app, [*chosen, "--json"]).stdout)
    assert found["floor"]["fid-mobilenet-v2"]["value"] > 0
    assert found["output"]["distances"].keys() == {"fid-mobilenet-v2"}
    assert "strongly biased" in found["remarks"][0]


@pytest.mark.parametrize(("wrong", "error", "says"), [
    (["--metrics", "kid,lpips"], UnknownNameError, "unknown metric 'lpips'; known: .*paired"),
    (["--metrics", "paired"], UsageError, "add --paired"),
    (["--judge", "inception"], UnknownNameError, "network 'inception'; known: .*Did you mean 'inception-v3'"),
    (["--judge", "vgg16"], ModelError, "comes without weights; give torchvision's file, as vgg16=FILE"),
    (["--judge", "vgg16=gone.pth"], ModelError, "there is no weights file 'gone.pth'"),
])
def test_choices_that_cannot_be(app, arguments, wrong, error, says):
    done = CliRunner().invoke(app, [*arguments, *wrong])
    assert isinstance(done.exception, error)
    assert done.exception.exit_code == EXIT_USAGE
    assert re.search(says, str(done.exception))
