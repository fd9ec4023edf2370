"""Retraining for real: a story from the first model to a rollback, and every way to be interrupted."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from retraining_set import NEGATIVE, fill, pipeline, publish_random, still
from training_set import picture, png
from typer.testing import CliRunner

from translate.cli.app import build_app
from translate.config import Holdout
from translate.errors import ConfigError, DataError, LockedError, ModelError, NoWorkersError, TrainingError
from translate.images.codec import decode
from translate.registry import ModelRegistry
from translate.retraining.holdout import is_held_out
from translate.retraining.journal import Begun, Done, Journal, TrainedModels, Verdicts
from translate.retraining.retrain import retrain
from translate.stores import open_store
from translate.stores.file import FileStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def places(tmp_path):
    fill(open_store(str(tmp_path / "data")), range(40))
    return {"data": str(tmp_path / "data"), "registry": str(tmp_path / "models"), "output": str(tmp_path / "out")}


def journal(places):
    return Journal(open_store(places["output"]))


def translate(*arguments):
    result = CliRunner().invoke(build_app(), list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.mark.timeout(1800)
def test_from_the_first_model_to_a_rollback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = open_store("data")
    fill(data, range(40))
    (tmp_path / "negative.yaml").write_text(yaml.safe_dump(NEGATIVE))
    command = ("retrain", "--pipeline", "negative.yaml", "--data", "data")

    # The first one has to beat doing nothing, and does.
    said = translate(*command)
    assert "negative@1 serves now: there is no champion, and it beats doing nothing" in said
    assert translate(*command, "--if-due") == "nothing due: 0 of 5 new images\n"

    # The bucket grows.
    fill(data, range(40, 46))
    assert "due: 12 of 5 new images" in translate(*command, "--dry-run")
    said = translate(*command, "--if-due")
    assert "negative@2 serves now: measurably no worse than negative@1 in each of 11 measures" in said
    models = ModelRegistry("models")
    two = models.document("negative")
    assert (two.version, two.provenance["parent"]) == (2, "negative@1")
    records = journal({"output": "retraining/negative"})
    assert two.provenance["snapshot_digest"] == records.read(records.begun()[-1], Begun).snapshot_digest

    # All that is trained on is spoiled.
    spoil = [i for i in range(46) if not is_held_out(str(i), Holdout(share=0.3))]
    fill(data, [*spoil, *range(100, 103)], target=lambda pixels: pixels // 8 + 110)
    outcome = json.loads(translate(*command, "--if-due", "--json").splitlines()[-1])
    assert outcome["state"] == "kept"
    assert outcome["words"][0].startswith("negative@2 stays: ")
    assert "KID" in outcome["words"][0]
    assert "layer distance to the answers" in outcome["words"][0]
    assert models.document("negative").version == 2
    assert "negative@3" in {line.document.reference for line in models.list()}, "it is kept to be looked at"
    assert translate(*command, "--if-due") == "nothing due: 0 of 5 new images\n", "it is not tried again and again"
    page = (tmp_path / outcome["page"]).read_text()
    assert "negative@3 against negative@2" in page
    assert "Not promoted" in page

    # And back.
    translate("models", "rollback", "negative", "--why", "the first was nicer", "--registry", "models")
    translate("run", "--model", "negative", "--input", "data/a", "--output", "out", "--registry", "models")
    plan = next((tmp_path / "out/_translate/runs").glob("*/plan.json"))
    assert json.loads(plan.read_text())["work"]["model"] == "negative@1"
    assert decode((tmp_path / "out/0.png").read_bytes()).pixels.shape == (32, 32, 3)


class KilledError(BaseException):
    """As if the process had gone."""


@pytest.fixture
def at_put(monkeypatch):
    """Has something happen when a key is written, once: before it, or after."""
    put = FileStore.put

    def install(end, action, *, after):
        waiting = [action]

        def interrupted(self, key, data, **options):
            hit = key.endswith(end) and waiting
            act = waiting.pop() if hit else None
            if act and not after:
                act()
            info = put(self, key, data, **options)
            if act and after:
                act()
            return info

        monkeypatch.setattr(FileStore, "put", interrupted)
        return waiting

    return install


def kill():
    raise KilledError


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("end", [
    "snapshot.jsonl", "snapshot.json", "0000000004.pt", "0000000004.json", "weights.safetensors", "model.json",
    "trained.json", "evaluated.json", "verdict.json", "pointers.json", "retraining.html", "done.json",
])
def test_killed_at_any_step_the_same_call_ends_it(places, at_put, end, after):
    models = ModelRegistry(places["registry"])
    publish_random(models)
    models.promote("negative@1")
    waiting = at_put(end, kill, after=after)
    with pytest.raises(KilledError):
        retrain(still(), **places)
    assert not waiting
    serving = models.document("negative").version
    assert serving == 1 or (end in ("pointers.json", "retraining.html", "done.json") and serving > 1)
    ended = journal(places)
    if end != "done.json" or not after:
        assert retrain(still(), **places).state == "promoted"
    (only,) = ended.begun()
    assert ended.read(only, Done).outcome == "promoted"
    new = [line.version for line in models.list() if line.name == "negative" and line.version > 1]
    assert len(new) == 1, "published once"
    assert [move.to_version for move in models.pointers("negative").moves] == [1, *new]
    assert models.document("negative").version == new[0]
    assert (ended.store.get(f"retrainings/{only}/retraining.html")).data


def test_a_champion_of_somebody_else_stays(places, at_put):
    models = ModelRegistry(places["registry"])
    for _ in range(2):
        publish_random(models)
    models.promote("negative@1")
    at_put("verdict.json", lambda: models.promote("negative@2", why="I like it"), after=True)
    outcome = retrain(still(), **places)
    assert outcome.state == "kept"
    (words,) = outcome.words
    assert words == "negative@3 passed, but was not compared with negative@2, which somebody made champion meanwhile"
    assert models.document("negative").version == 2


def test_a_rollback_is_not_undone_by_the_call_that_goes_on(places, at_put):
    """Killed right after the promotion; a person rolled back before the same call came again."""
    models = ModelRegistry(places["registry"])
    publish_random(models)
    at_put("retraining.html", kill, after=False)
    with pytest.raises(KilledError):
        retrain(still(), **places)
    assert models.document("negative").version == 2
    models.rollback("negative")
    retrain(still(), **places)
    assert models.document("negative").version == 1


def test_a_challenger_does_not_serve_before_the_gate(places, at_put):
    """Without a pointer the newest version serves; a retraining sees to it that it is not its own."""
    models = ModelRegistry(places["registry"])
    publish_random(models)
    seen = []
    at_put("trained.json", lambda: seen.append(models.document("negative").version), after=True)
    retrain(still(), **places)
    assert seen == [1]


def test_a_first_model_that_the_gate_refuses_does_not_serve(places):
    models = ModelRegistry(places["registry"])
    outcome = retrain(still(), **places)
    assert outcome.words[0].startswith("negative@1 is not promoted: there is no champion, and it does not beat")
    with pytest.raises(ModelError, match="'negative' has no champion: it is retrained behind a gate"):
        translate("run", "--model", "negative", "--input", f"{places['data']}/a", "--output", places["output"],
                  "--registry", places["registry"])
    assert models.document("negative@1").version == 1, "it is kept to be looked at"
    assert "no version has passed the gate yet" in translate("models", "show", "negative@1", "--registry",
                                                             places["registry"])
    assert retrain(pipeline(), **places).words[0].startswith("negative@2 serves now: there is no champion, and it")
    assert models.document("negative").version == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_as_the_gate_is_set_up_the_same_call_begins(places, at_put, after):
    at_put("pointers.json", kill, after=after)
    with pytest.raises(KilledError):
        retrain(pipeline(), **places)
    assert journal(places).begun() == []
    assert retrain(pipeline(), **places).words[0].startswith("negative@1 serves now: there is no champion, and it")
    assert len(ModelRegistry(places["registry"]).pointers("negative").moves) == 1


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # Ray of itself
def test_workers_on_ray_train_it(places, monkeypatch):
    with pytest.raises(ConfigError, match=r"training\.batch 4 can't be divided among 3 workers"):
        retrain(pipeline(), workers=3, **places)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(NoWorkersError, match="nobody answers there"):
        retrain(pipeline(), workers=2, **places)
    monkeypatch.delenv("RAY_ADDRESS")
    with monkeypatch.context() as small:
        small.setattr("pipelines.train._node_cpus", lambda: [2.0])
        with pytest.raises(NoWorkersError, match="4 workers need a processor each"):
            retrain(pipeline(), workers=4, **places)
    (begun,) = journal(places).begun()
    assert journal(places).read(begun, Done) is None, "another time there may be places"
    notes = []
    outcome = retrain(pipeline(), workers=2, on_progress=notes.append, **places)
    assert (outcome.state, outcome.retraining) == ("promoted", begun)
    assert "2 workers starting" in {note.note for note in notes}
    assert ModelRegistry(places["registry"]).document("negative").version == 1


def test_what_was_promoted_stands_without_its_page_too(places, at_put):
    models = ModelRegistry(places["registry"])
    publish_random(models)

    def gone():
        raise DataError("the set is gone")

    at_put("retraining.html", gone, after=False)
    with pytest.raises(DataError):
        retrain(still(), **places)
    assert models.document("negative").version == 2
    records = journal(places)
    done = records.read(records.begun()[0], Done)
    assert (done.outcome, done.promoted) == ("promoted", ("negative@2",))


def test_another_call_meanwhile_is_told_who_is_at_work(places, at_put):
    publish_random(ModelRegistry(places["registry"]))
    told = []

    def rival():
        with pytest.raises(LockedError) as error:
            retrain(still(), **places)
        told.append(str(error.value))

    at_put("trained.json", rival, after=False)
    assert retrain(still(), **places).state == "promoted"
    (id_,) = journal(places).begun()
    assert f"run {id_}, by " in told[0]


def test_an_image_that_is_gone_ends_it_and_the_next_one_is_new(places, at_put):
    publish_random(ModelRegistry(places["registry"]))
    data = open_store(places["data"])
    gone = next(f"a/{i}.png" for i in range(40) if not is_held_out(str(i), Holdout(share=0.3)))
    at_put("snapshot.json", lambda: data.delete(gone), after=True)
    with pytest.raises(DataError, match=f"{gone} was removed since the snapshot"):
        retrain(pipeline({"images": 80}), **places)
    records = journal(places)
    assert records.read(records.begun()[0], Done).outcome == "failed"
    data.delete(gone.replace("a/", "b/"))
    assert retrain(still(), **places).state == "promoted"
    assert len(records.begun()) == 2


def test_a_training_that_gives_up_leaves_the_champion(places):
    models = ModelRegistry(places["registry"])
    publish_random(models)
    with pytest.raises(TrainingError, match="gives up"):
        retrain(pipeline({"learning_rate": 1e30}), **places)
    assert models.document("negative").version == 1
    records = journal(places)
    assert records.read(records.begun()[0], Done).outcome == "failed"
    assert records.read(records.begun()[0], TrainedModels) is None


def test_both_directions_of_a_game_are_judged_by_themselves(places):
    values = NEGATIVE["training"]["data"] | {"kind": "unpaired"}
    both = pipeline({"objective": {"name": "cyclegan"}, "images": 4, "learning_rate": 1e-9,
                     "ema_half_life_images": 1_000_000, "data": values}, reverse_model="positive")
    models = ModelRegistry(places["registry"])
    publish_random(models)
    outcome = retrain(both, **places)
    assert outcome.words[0].startswith("negative@2 serves now: measurably no worse than negative@1 in each of 8")
    assert outcome.words[1].startswith("positive@1 is not promoted: there is no champion, and it does not beat")
    records = journal(places)
    assert set(records.read(records.begun()[0], Verdicts).verdicts) == {"negative", "positive"}


@pytest.mark.parametrize("layout", ["side_by_side", "manifest"])
def test_pairs_of_every_layout_are_retrained(places, layout):
    data = open_store(places["data"])
    pixels = {i: (picture(i, 32), 255 - picture(i, 32)) for i in range(40)}
    for i, (wave, inverse) in pixels.items():
        data.put(f"both/{i}.png", png(np.concatenate([inverse, wave], axis=1)))
    data.put("pairs.csv", "".join(["a,b\n", *(f"a/{i}.png,b/{i}.png\n" for i in pixels)]).encode())
    of = {"side_by_side": {"pairs": "both", "left": "b"}, "manifest": {"pairs": "pairs.csv"}}[layout]
    sizes = {"kind": "paired", "layout": layout, "short_side_px": [32, 32], "crop_px": 32}
    models = ModelRegistry(places["registry"])
    publish_random(models)
    outcome = retrain(pipeline({"images": 4, "learning_rate": 1e-9, "ema_half_life_images": 1_000_000,
                                "data": sizes | of}), **places)
    assert outcome.state == "promoted"
    (record,) = models.evaluations("negative@2")
    held = [i for i in pixels if is_held_out(f"a/{i}" if layout == "manifest" else str(i), Holdout(share=0.3))]
    assert record.source_images == record.target_images == len(held)
    apart = [np.abs(wave / 255 - inverse / 255).mean() for wave, inverse in map(pixels.get, held)]
    assert record.nothing["l1"].value == pytest.approx(np.mean(apart), rel=1e-4), "each wave against its inverse"
    page = open_store(places["output"]).get(f"retrainings/{outcome.retraining}/retraining.html").data.decode()
    assert page.count("<img") == 6 * 4, "input, both models' pictures and the answer of six pairs"


def test_killed_outright_it_goes_on_once_the_lease_has_expired(tmp_path):
    fill(open_store(str(tmp_path / "data")), range(40))
    (tmp_path / "negative.yaml").write_text(yaml.safe_dump(NEGATIVE))
    models = ModelRegistry(str(tmp_path / "models"))
    publish_random(models)
    program = ("import torch; torch.set_num_threads(1); from translate.records import lease; "
               "lease.EXPIRES_AFTER_S = 4.0; from translate.cli.app import main; main()")
    command = [sys.executable, "-c", program, "retrain", "--pipeline", "negative.yaml", "--data", "data", "--output",
               "out", "--registry", "models", "--images", "80", "--json"]

    def start():
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    for marker in ("snapshot.json", "trained.json", "evaluated.json"):
        process = start()
        while not list(tmp_path.glob(f"out/retrainings/*/{marker}")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        time.sleep(6)
    last = start()
    out, said = last.communicate(timeout=600)
    assert last.returncode == 0, said
    outcome = json.loads(out.splitlines()[-1])
    records = Journal(open_store(str(tmp_path / "out")))
    assert records.begun() == [outcome["retraining"]], "one retraining, whatever killed it"
    assert [line.version for line in models.list() if line.name == "negative"] == [1, 2]
    promoted = [2] if outcome["state"] == "promoted" else []
    assert [move.to_version for move in models.pointers("negative").moves] == [1, *promoted]
    assert records.read(outcome["retraining"], Done).outcome == outcome["state"]
