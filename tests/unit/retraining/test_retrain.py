"""What is decided before anything is trained; the trainings themselves are in tests/integration/test_retrain.py."""

from datetime import UTC, datetime, timedelta

import pytest
from retraining_set import fill, pipeline, publish_random

from translate.errors import ConfigError, DataError, LockedError, PointersMovedError, StoreError
from translate.records import lease
from translate.records.holding import hold
from translate.registry import ModelRegistry
from translate.retraining.journal import Begun, Done, Journal
from translate.retraining.retrain import retrain
from translate.retraining.snapshot import take_snapshot
from translate.stores import open_store

BEGAN = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def places(tmp_path):
    fill(open_store(str(tmp_path / "data")), range(30))
    return {"data": str(tmp_path / "data"), "registry": str(tmp_path / "models"), "output": str(tmp_path / "out")}


@pytest.fixture
def journal(places):
    return Journal(open_store(places["output"]))


def begun(places, journal, ended="kept"):
    """A retraining on the images that are there now."""
    now = pipeline()
    snapshot = take_snapshot(open_store(places["data"]), now.training.data, now.retraining.holdout)
    journal.put_snapshot("one", snapshot)
    journal.commit("one", Begun(
        retraining="one", began=BEGAN, why="by hand", data_url=places["data"], snapshot_digest=snapshot.digest,
        counts=snapshot.counts, total_bytes=snapshot.total_bytes, difference=None, champions={"negative": 1},
        pipeline=now.model_dump(mode="json")))
    if ended:
        journal.commit("one", Done(outcome=ended, finished=BEGAN, words=("because",)))


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(places, tmp_path):
    outcome = retrain(pipeline(), **places, dry_run=True, images=80)
    assert outcome.state == "planned"
    assert outcome.words[0] == "due: there was no retraining here yet"
    assert "would train on 80 images seen, from champion" in outcome.words
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "models").exists()


def test_nothing_due_says_when(places, journal):
    begun(places, journal)
    fill(open_store(places["data"]), range(30, 32))
    weekly = pipeline(retraining={"schedule": "0 3 * * sun"})
    outcome = retrain(weekly, **places, if_due=True, now=BEGAN + timedelta(days=1))
    assert (outcome.state, outcome.words) == ("not_due", ("next at 2026-11-29 03:00 UTC, 4 of 5 new images",))
    told = retrain(weekly, **places, dry_run=True, now=BEGAN + timedelta(days=1))
    assert told.words[-1] == "since retraining one: 4 new, 0 removed, 0 changed"


@pytest.mark.parametrize("ended", ["kept", "promoted", "failed"])
def test_however_the_last_one_ended_it_was_the_last_one(places, journal, ended):
    """Images that were refused would be refused again, at once and for ever."""
    begun(places, journal, ended)
    assert retrain(pipeline(), **places, if_due=True).state == "not_due"
    fill(open_store(places["data"]), range(30, 33))
    assert retrain(pipeline(), **places, if_due=True, dry_run=True).words[0] == "due: 6 of 5 new images"


def test_one_that_has_not_ended_is_gone_on_with_whatever_is_due(places, journal):
    begun(places, journal, ended=None)
    outcome = retrain(pipeline(), **places, if_due=True, dry_run=True)
    assert outcome.words == ("resumes retraining one, begun on 2026-11-22 03:00 UTC",)


def test_two_at_once_exclude_each_other(places):
    store = open_store(places["output"])
    with hold(store, "the first", lease.look(store)), pytest.raises(LockedError, match="run the first, by "):
        retrain(pipeline(), **places)


@pytest.mark.parametrize(("made", "error", "words"), [
    (lambda: pipeline().model_copy(update={"training": None}), ConfigError, "no training section"),
    (lambda: pipeline(retraining={"holdout": {"share": 0.001}}), DataError,
     "a holds 0 images; an evaluation needs at least 4: raise retraining"),
    (lambda: pipeline(retraining={"holdout": {"share": 0.99}}), DataError, "holds no images"),
])
def test_what_cannot_be_done_is_told_before_anything_has_begun(places, journal, made, error, words):
    registry = ModelRegistry(places["registry"])
    publish_random(registry)
    for dry_run in (True, False):
        with pytest.raises(error, match=words):
            retrain(made(), **places, dry_run=dry_run)
    assert journal.begun() == []
    assert registry.pointers("negative").champion is None


def test_who_promotes_while_it_begins_is_not_overruled(places, journal, monkeypatch):
    registry = ModelRegistry(places["registry"])
    for _ in range(2):
        publish_random(registry)
    listed = ModelRegistry.list

    def somebody_promotes(models):
        models.promote("negative@1", why="I like it")
        return listed(models)

    monkeypatch.setattr(ModelRegistry, "list", somebody_promotes)
    with pytest.raises(PointersMovedError):
        retrain(pipeline(), **places)
    assert registry.pointers("negative").champion == 1
    assert journal.begun() == []


def test_a_listing_that_was_changed_is_noticed(places, journal):
    begun(places, journal)
    journal.store.put("retrainings/one/snapshot.jsonl", b"")
    with pytest.raises(StoreError, match=r"snapshot.jsonl is damaged \(its digest differs"):
        retrain(pipeline(), **places)


def test_documents_are_written_once(places, journal):
    begun(places, journal)
    again = journal.commit("one", Done(outcome="promoted", finished=BEGAN, words=("another end",)))
    assert again.outcome == "kept"
    assert journal.read("one", Done) == again
    journal.store.put("retrainings/two/snapshot.jsonl", b"")
    assert journal.begun() == ["one"], "without its marker a listing is none"


def test_documents_of_a_newer_version_are_named(journal):
    journal.store.put("retrainings/one/done.json", b'{"schema_version": 99}')
    with pytest.raises(StoreError, match=r"one/done.json is damaged, or of a newer version"):
        journal.read("one", Done)
