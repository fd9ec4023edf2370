"""`translate train` as users call it: from a YAML and a folder to two published models that translate."""

import json

import pytest
import yaml
from training_set import WAVES, picture, png
from typer.testing import CliRunner

from translate.cli.app import build_app
from translate.errors import ConfigError, UsageError
from translate.images import codec
from translate.registry import ModelRegistry
from translate.stores import open_store
from translate.yaml_text import read_yaml


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("data")
    for i in range(4):
        store.put(f"trainA/{i}.png", png(picture(i)))
        store.put(f"trainB/{i}.png", png(255 - picture(i)))
    (tmp_path / "waves.yaml").write_text(yaml.safe_dump(WAVES))
    return tmp_path


def translate(*arguments):
    result = CliRunner().invoke(build_app(), list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_train_publish_and_run(place):
    said = translate("train", "--pipeline", "waves.yaml", "--data", "data", "--publish", "waves")
    assert "published waves@1" in said
    assert "published unwaves@1" in said
    assert (place / "training/waves/samples/0000000008.png").is_file()
    facts = ModelRegistry("models").load("unwaves").facts
    assert (facts.domains.a, facts.domains.b) == ("inverse", "wave")
    assert facts.provenance["images_seen"] == 8
    card = ModelRegistry("models").file("waves", "card.jpg")
    assert codec.decode(card).pixels.shape[0] > 64

    again = translate("train", "--pipeline", "waves.yaml", "--data", "data", "--publish", "waves")
    assert "published waves@1\npublished unwaves@1" in again
    assert [(each.name, each.version) for each in ModelRegistry("models").list() if "waves" in each.name] == [
        ("unwaves", 1), ("waves", 1)]

    translate("run", "--model", "waves", "--input", "data/trainA", "--output", "out")
    assert codec.decode((place / "out/0.png").read_bytes()).pixels.shape == (48, 48, 3)


@pytest.mark.usefixtures("place")
def test_a_later_version_says_where_it_came_from_and_does_not_serve_before_it_is_promoted():
    translate("train", "--pipeline", "waves.yaml", "--data", "data", "--publish", "waves")
    models = ModelRegistry("models")
    models.promote("waves@1")
    said = translate("train", "--pipeline", "waves.yaml", "--data", "data", "--publish", "waves", "--from", "waves",
                     "--output", "again", "--set", "train.data.test_a=trainA", "--set", "train.data.test_b=trainB",
                     "--set", "train.evaluation={every_images: 8, images: 4}")
    assert said.splitlines()[-1] == ("waves still means waves@1; to promote the new one: translate models promote "
                                     "waves@2")
    first, second = models.document("waves"), models.document("waves@2")
    assert (first.version, first.provenance["parent"], first.provenance["parent_digest"]) == (1, None, None)
    assert (second.provenance["parent"], second.provenance["parent_digest"]) == ("waves@1", first.digest)
    assert second.provenance["data_digest"] == first.provenance["data_digest"], "the same images"
    assert second.provenance["data_digest"].startswith("sha256:")
    pipeline = json.loads(models.file("waves@2", "pipeline.json"))
    assert pipeline["training"]["evaluation"]["images"] == 4
    assert models.evaluations("waves@1") == []
    (scored,) = models.evaluations("waves@2")
    assert (scored.source, scored.target, scored.source_images, scored.size_px) == ("trainA", "trainB", 4, 32)
    assert scored.data.endswith("/data")
    assert "On 4 held-out images at 32 px" in models.file("waves@2", "card.md").decode()
    assert [each.target for each in models.evaluations("unwaves@2")] == ["trainA"]
    assert "pipeline.training.data.test_a" in translate("models", "compare", "waves", "waves@2")


@pytest.mark.usefixtures("place")
def test_the_same_command_goes_on_and_a_longer_one_too():
    first = ("train", "--pipeline", "waves.yaml", "--data", "data", "--json")
    assert json.loads(translate(*first).splitlines()[-1])["images"] == 8
    assert json.loads(translate(*first, "--images", "12").splitlines()[-1])["images"] == 12


def test_dry_run_prints_what_would_be_trained(place):
    said = translate("train", "--pipeline", "waves.yaml", "--data", "data", "--set", "train.batch=1", "--dry-run")
    resolved = read_yaml(said, "stdout")
    assert resolved["training"]["batch"] == 1
    assert resolved["training"]["betas"] == [0.5, 0.999]
    assert "\n# memory: " in said
    assert not (place / "training").exists()


@pytest.mark.parametrize("mistake", [("--publish", "My Model"), ("--publish", ""), ("--output", "")])
def test_mistakes_are_told_before_the_training(place, mistake):
    with pytest.raises(UsageError):
        translate("train", "--pipeline", "waves.yaml", "--data", "data", *mistake)
    assert not (place / "training").exists()


@pytest.mark.usefixtures("place")
def test_the_other_direction_is_trained_by_its_pipeline():
    resolved = read_yaml(translate("train", "--pipeline", "photo2monet", "--data", "data", "--dry-run"), "stdout")
    assert resolved["name"] == "monet2photo"


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("override", "error", "words"), [
    ("batch=1", UsageError, "train.<key>"),
    ("train.batch", UsageError, "train.<key>"),
    ("train.batch=many", ConfigError, "training.batch"),
    ("train.betas=[0.5, 0.9", ConfigError, r"--set 'train.betas=\[0.5, 0.9', line 1 is not valid YAML"),
    ("train.no_such=1", ConfigError, "no_such"),
    ("train.nothing.crop_px=1", UsageError, "no group 'nothing'"),
])
def test_overrides_that_cannot_be(override, error, words):
    with pytest.raises(error, match=words):
        translate("train", "--pipeline", "waves.yaml", "--data", "data", "--set", override)
