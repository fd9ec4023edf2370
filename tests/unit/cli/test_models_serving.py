"""`translate models promote`, `rollback`, `prune` and `compare`, and what `list` and `show` say of them."""

import json

import pytest
from typer.testing import CliRunner

from translate.cli.models import app
from translate.config import Domains
from translate.errors import ModelError, UsageError
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry
from translate.registry.evaluations import EvaluationRecord, Score


@pytest.fixture
def call(tmp_path):
    """Calls `translate models`; a mistake is raised, as `translate.cli.app` gets it."""

    def run(*args):
        done = CliRunner().invoke(app, [*args, "--registry", str(tmp_path / "registry")])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def publish(tmp_path, versions):
    registry = ModelRegistry(str(tmp_path / "registry"))
    for seed in range(versions):
        name, config = parse_config("generator", {"architecture": "resnet", "width": 4, "blocks": 1 + seed}, "m")
        facts = ModelFacts(name="m", architecture=name, config=config.model_dump(),
                           domains=Domains(a="photo", b="painting"), provenance={"seed": seed})
        registry.publish("m", build("generator", name, config), facts, {})
    return registry


def test_promote_rollback_and_their_history(call, tmp_path):
    registry = publish(tmp_path, 3)
    assert call("promote", "m@1") == "m@1 is the champion now\n"
    assert call("promote", "m@2", "--why", "greener") == (
        "m@2 is the champion now; m@1 was it before, and translate models rollback m brings it back\n")
    assert call("promote", "m@2") == "m@2 is the champion already\n"
    rows = [line.split()[:2] for line in call("list").splitlines() if line.startswith("m@")]
    assert rows == [["m@1", "previous"], ["m@2", "champion"], ["m@3", "photo"]]
    lines = [json.loads(line) for line in call("list", "--json").splitlines()]
    assert {each["model"]: each["pointer"] for each in lines if each["model"].startswith("m@")} == {
        "m@1": "previous", "m@2": "champion", "m@3": None}
    back = json.loads(call("rollback", "m", "--why", "too green", "--json"))
    assert (back["event"], back["champion"], back["previous"], back["moved"]) == ("champion", "m@1", "m@2", True)
    shown = call("show", "m")
    assert "model:" in shown
    assert "m@1" in shown.splitlines()[0]
    history = [line for line in shown.splitlines() if ", by " in line]
    told = [" ".join(line.split(", by ")[0].split()[2:]) for line in history[:2]]
    assert told == ["m@2 -> m@1 (too green)", "m@1 -> m@2 (greener)"]
    assert registry.pointers("m").champion == 1


def test_what_cannot_be_promoted(call, tmp_path):
    publish(tmp_path, 1)
    for args, kind, words in ((("promote", "m@2"), ModelError, "no model 'm@2'"),
                              (("promote", "m"), UsageError, "promote which version of 'm'"),
                              (("rollback", "m"), UsageError, "'m' has no previous champion")):
        with pytest.raises(kind, match=words):
            call(*args)
    assert not (tmp_path / "registry" / "m" / "pointers.json").exists()


def test_prune_says_what_and_wants_a_yes(call, tmp_path):
    registry = publish(tmp_path, 5)
    registry.promote("m@1")
    registry.promote("m@3")
    assert call("prune", "m", "--keep", "1", "--dry-run") == "would delete m@2, m@4\n"
    with pytest.raises(UsageError, match=r"would delete m@2, m@4 in .*registry for good; add --yes"):
        call("prune", "m", "--keep", "1")
    assert [each.version for each in registry.list() if each.name == "m"] == [1, 2, 3, 4, 5]
    deleted = json.loads(call("prune", "m", "--keep", "1", "--yes", "--json"))
    assert (deleted["event"], deleted["deleted"], deleted["models"]) == ("pruned", True, ["m@2", "m@4"])
    assert [each.version for each in registry.list() if each.name == "m"] == [1, 3, 5]
    assert call("prune", "m", "--keep", "1", "--yes") == "nothing to delete\n"
    with pytest.raises(ModelError, match="no model 'nothing'"):
        call("prune", "nothing", "--keep", "1")


def test_compare_shows_what_is_stored_and_what_differs(call, tmp_path):
    registry = publish(tmp_path, 3)
    without = call("compare", "m@1", "m@2")
    assert "no stored evaluation; --data URL evaluates both" in without
    assert [line.split() for line in without.splitlines()[-2:]] == [["config.blocks", "1", "2"],
                                                                    ["provenance.seed", "0", "1"]]
    first = EvaluationRecord(
        when="2026-01-01T00:00:00+00:00", by="0.1", data="s3://set/", source="testA", target="testB", paired=False,
        images_digest="sha256:aa", source_images=64, target_images=64, judge="efficientnet-lite0", size_px=128,
        scores={"kid-efficientnet-lite0": Score(value=0.0312, spread=0.002), "edge_agreement": Score(value=0.7)},
        nothing={"edge_agreement": Score(value=1.0)})
    second = first.model_copy(update={"scores": {**first.scores, "edge_agreement": Score(value=0.8)},
                                      "when": "2026-02-01T00:00:00+00:00"})
    other = first.model_copy(update={"images_digest": "sha256:bb", "size_px": 256, "source_images": 32,
                                     "when": "2026-03-01T00:00:00+00:00"})
    registry.add_evaluation("m@1", first)
    for record in (second, other, second):
        registry.add_evaluation("m@2", record)
    assert len(registry.evaluations("m@2")) == 2
    registry.add_evaluation("m@3", other)
    shown = call("compare", "m@1", "m@2")
    rows = {line.split("  ")[0]: line.split() for line in shown.splitlines()}
    assert rows["kid-efficientnet-lite0"] == [
        "kid-efficientnet-lite0", "0.0312", "±", "0.0020", "0.0312", "±", "0.0020", "lower"]
    assert rows["edge_agreement"] == ["edge_agreement", "0.7000", "0.8000", "higher"]
    assert "Both on the same 64 images at 128 px, judged by efficientnet-lite0." in shown
    found = json.loads(call("compare", "m@1", "m@3", "--json"))
    assert found["models"] == ["m@1", "m@3"]
    assert found["not_comparable"] == ["working size in pixels: 128 and 256",
                                       "images: 64 and 64 of s3://set/; 32 and 64 of s3://set/"]
    assert [each["size_px"] for each in found["evaluations"]] == [128, 256]
    assert found["settings"]["config.blocks"] == ["1", "3"]
    assert "These figures can't be compared" in call("compare", "m@1", "m@3")
    assert "edge_agreement:" in call("show", "m@1")
    assert "(doing nothing: 1.0000)" in call("show", "m@1")
