"""`translate pipelines`."""

import json

from typer.testing import CliRunner

from translate.cli.pipelines import app
from translate.config import parse_pipeline, pipeline_names
from translate.yaml_text import read_yaml

YAML = """
name: test
summary: painting to photograph
domains: {a: painting, b: photograph}
run: {size: 256}
"""


def test_list_has_every_shipped_pipeline():
    done = CliRunner().invoke(app, ["list"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", *pipeline_names()]


def test_list_as_json():
    done = CliRunner().invoke(app, ["list", "--json"])
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == pipeline_names()


def test_show_is_yaml_that_says_the_same(tmp_path):
    file = tmp_path / "test.yaml"
    file.write_text(YAML)
    done = CliRunner().invoke(app, ["show", str(file)])
    assert done.exit_code == 0
    first, _, rest = done.stdout.partition("\n")
    pipeline, shown = parse_pipeline(YAML, "here"), parse_pipeline(rest, "there")
    assert shown.retraining.gate.margins["kid"] == 0.01, "margins that the measures declare are spelled out"
    gate = shown.retraining.gate.model_copy(update={"margins": {}})
    retraining = shown.retraining.model_copy(update={"gate": gate})
    assert shown.model_copy(update={"retraining": retraining}) == pipeline
    assert first == f"# digest: {pipeline.digest}"
    assert read_yaml(rest, "there")["run"]["quality"] == 92, "defaults are spelled out"


def test_show_as_json(tmp_path):
    file = tmp_path / "test.yaml"
    file.write_text(YAML)
    shown = json.loads(CliRunner().invoke(app, ["show", str(file), "--json"]).stdout)
    assert shown["pipeline"]["run"]["size"] == 256
    assert shown["digest"].startswith("sha256:")
