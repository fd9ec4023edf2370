"""`translate evaluate`: a published model on a small set, to the table and to JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from translate.cli.evaluate import evaluate
from translate.config import Domains, load_pipeline
from translate.errors import EXIT_USAGE, ModelError, UnknownNameError, UsageError
from translate.images.codec import decode, encode
from translate.images.picture import Picture
from translate.library.places import _data_of
from translate.models import resnet
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry
from translate.yaml_text import write_yaml


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
    folder = Path(arguments[arguments.index("--data") + 1])
    copytree(folder / "a", folder / "copy")
    same = ["copy" if argument == "b" else argument for argument in arguments]
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


@pytest.fixture
def beside(arguments):
    """The same pairs side by side, the answers left, and a pipeline whose held-out images they are; its options."""
    folder = Path(arguments[arguments.index("--data") + 1])
    (folder / "beside").mkdir()
    for index in range(4):
        a, b = (decode((folder / side / f"{index}.png").read_bytes()).pixels for side in ("a", "b"))
        png = encode(Picture(np.concatenate([b, a], axis=1), None, "png"), "png", 100)
        (folder / "beside" / f"{index}.png").write_bytes(png)
    values = load_pipeline("facades").model_dump(mode="json")
    values["training"]["data"] |= {"test_pairs": "beside", "left": "b", "crop_px": 48, "short_side_px": [48, 48]}
    (folder / "mine.yaml").write_text(write_yaml(values))
    return arguments[: arguments.index("--source")], str(folder / "mine.yaml")


def test_pairs_side_by_side_score_what_two_folders_score(app, arguments, beside):
    common, pipeline = beside
    runner = CliRunner()
    expected = json.loads(runner.invoke(app, [*arguments, "--paired", "--json"]).stdout)
    asked = [*common, "--layout", "side_by_side", "--pairs", "beside", "--source", "right", "--size", "48"]
    for options in (asked, [*common, "--pipeline", pipeline]):
        done = runner.invoke(app, [*options, "--json"])
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert (found["output"], found["images_digest"]) == (expected["output"], expected["images_digest"])
        assert (found["size_px"], found["paired"], found["source"]) == (48, True, "beside, right")


@pytest.mark.parametrize(("options", "says"), [
    (["--source", "beside", "--target", "beside", "--paired"], "are the same folder, 'beside'.*side_by_side"),
    (["--pairs", "beside"], "--pairs needs --layout"),
    (["--layout", "side_by_side"], "--layout side_by_side needs --pairs, and no --target"),
    (["--layout", "manifest", "--pairs", "p.csv", "--target", "b"], "needs --pairs, and no --target"),
    (["--layout", "side_by_side", "--pairs", "beside", "--source", "a"], "the source is left or right; got 'a'"),
    (["--pipeline", "facades", "--source", "a"], "--pipeline says where the images are"),
])
def test_places_that_make_no_sense_are_refused(app, beside, options, says):
    done = CliRunner().invoke(app, [*beside[0], *options])
    assert isinstance(done.exception, UsageError)
    assert re.search(says, str(done.exception))


def test_a_model_of_the_other_direction_is_scored_on_the_other_domain(tmp_path):
    data = load_pipeline("facades").training.data
    way = Domains(a="facade labels", b="facade photograph")
    assert _data_of("facades", way) == (data, "a")
    assert _data_of("facades", Domains(a=way.b, b=way.a)) == (data, "b")
    assert _data_of("facades", Domains(a="x", b="y")) == (data, "a"), "made elsewhere: the pipeline's way"
    reverse = tmp_path / "photo2label.yaml"
    reverse.write_text("name: photo2label\nsummary: s\ndomains: {a: facade photograph, b: facade labels}\n"
                       "trained_by: facades\n")
    assert _data_of(str(reverse), Domains(a="x", b="y"))[1] == "b", "trained by the pipeline of the other direction"


def test_without_a_judge_where_no_measure_needs_one(app, arguments, monkeypatch):
    monkeypatch.setattr("translate.metrics.evaluate.open_features", lambda name: pytest.fail(f"{name} was opened"))
    done = CliRunner().invoke(app, [*arguments, "--metrics", "artefacts,appearance"])
    assert done.exit_code == 0, done.output
    assert "sharpness_ratio" in done.stdout
    assert done.stdout.splitlines()[-1] == "4 images at 48 px."
