"""The job from plan to commit, on real stores: nothing vanishes, and running again does nothing."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from jobs import contents, fill, make_job, picture, publish_tiny

from translate.batch.estimate import estimate
from translate.batch.run import Prepared, prepare, run
from translate.errors import AccessError, StoreError, UsageError, WorkDigestError
from translate.images.mark import Mark, read_mark
from translate.progress import silent
from translate.records import history, layout
from translate.records.history import read_ledger, run_names
from translate.stores import open_store
from translate.stores.file import FileStore

if TYPE_CHECKING:
    from translate.provenance import RunSummary


def go(prepared: Prepared, executor: str = "local", workers: int | None = None) -> RunSummary:
    ended = run(prepared, executor, workers, silent, lambda: False)
    assert ended.summary is not None
    return ended.summary


def check_records(prepared: Prepared, summary: RunSummary) -> None:
    """Counts add up everywhere, and every acknowledged output is there with its digest."""
    from translate.records.ledger import from_lines, merge
    from translate.records.manifest import read_units

    output = prepared.job.output
    planned = [item.key for unit in read_units(output, summary.run) for item in unit.items]
    assert prepared.begun or planned == [item.key for item in prepared.plan.items()]
    segments = [info.key for info in output.list(layout.run_prefix(summary.run) + "ledger/")]
    merged = merge(from_lines(output.get(key).data) for key in segments)
    assert sorted(merged) == sorted(planned)
    assert summary.ok + summary.failed + summary.skipped == summary.planned == len(planned)
    for entry in merged.values():
        if entry.outcome == "ok":
            data = output.get(entry.output_key).data
            assert "sha256:" + hashlib.sha256(data).hexdigest() == entry.digest
            assert len(data) == entry.size_bytes
    assert output.get(layout.report_key(summary.run)).data.startswith(b"<!doctype html>")
    assert json.loads(output.get(layout.summary_key(summary.run)).data)["ok"] == summary.ok


@pytest.mark.s3
@pytest.mark.ray
@pytest.mark.parametrize("count", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_bucket_to_bucket_with_both_executors(s3_server, registry, count):
    bucket = s3_server.make_bucket()

    def store(name: str):
        return open_store(f"s3://{bucket}/{name}/", endpoint_url=s3_server.endpoint_url)

    source = store("in")
    keys = fill(source, count)
    before = {info.key: info.etag for info in source.list()}
    for name in ("local", "ray"):
        prepared = prepare(make_job(source, store(name), registry))
        summary = go(prepared, name)
        assert (summary.ok, summary.failed, summary.executor) == (count, 0, name)
        check_records(prepared, summary)
        again = prepare(make_job(source, store(name), registry))
        assert again.is_empty
        assert again.plan.considered.up_to_date == count
    assert contents(store("local")) == contents(store("ray"))
    assert sorted(contents(store("local"))) == keys
    assert {info.key: info.etag for info in source.list()} == before, "the source is untouched"


def test_new_changed_and_missing_ones_are_done_again(registry):
    source, output = open_store("memory://again/in/"), open_store("memory://again/out/")
    keys = fill(source, 12)
    check_records(first := prepare(make_job(source, output, registry)), go(first))
    source.put(keys[3], picture(777))
    source.put("new.png", picture(778))
    output.delete(keys[5])
    second = prepare(make_job(source, output, registry))
    assert [item.key for item in second.plan.items()] == sorted([keys[3], keys[5], "new.png"])
    check_records(second, go(second))
    assert prepare(make_job(source, output, registry)).is_empty


def test_other_work_is_refused_kept_or_redone(registry, tmp_path):
    source, output = open_store("memory://bytes/in/"), open_store("memory://bytes/out/")
    fill(source, 6)
    go(prepare(make_job(source, output, registry)))
    before = contents(output)
    with pytest.raises(WorkDigestError, match=r"6 outputs .*quality: 92 -> 50"):
        prepare(make_job(source, output, registry, quality=50))
    publish_tiny(tmp_path / "models", seed=1)
    publish_tiny(tmp_path / "models", seed=2)
    with pytest.raises(WorkDigestError, match=r"model: tiny@1 -> tiny@2"):
        prepare(make_job(source, output, str(tmp_path / "models")))
    assert prepare(make_job(source, output, registry, quality=50, overwrite="never")).plan.considered.kept == 6
    assert contents(output) == before
    stale = prepare(make_job(source, output, str(tmp_path / "models"), overwrite="stale"))
    assert go(stale).ok == 6
    assert all(contents(output)[key] != data for key, data in before.items())
    assert prepare(make_job(source, output, registry, overwrite="always")).plan.considered.to_do == 6


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_outputs_say_what_made_them(registry, kind):
    source, output = open_store(f"memory://marked-{kind}/in/"), open_store(f"memory://marked-{kind}/out/")
    key = f"a.{kind.lower()}"
    source.put(key, picture(1, kind=kind))
    check_records(prepared := prepare(make_job(source, output, registry)), summary := go(prepared))
    (data,) = contents(output).values()
    digest = "sha256:" + hashlib.sha256(source.get(key).data).hexdigest()
    assert read_mark(data) == Mark("tiny@1", summary.work.model_digest, digest, summary.work_digest)
    go(prepare(make_job(source, output, registry, overwrite="always")))
    assert list(contents(output).values()) == [data], "nothing in the mark is of one run"


def test_outputs_from_before_there_were_marks_are_other_work(registry):
    source, output = open_store("memory://unmarked/in/"), open_store("memory://unmarked/out/")
    fill(source, 2)
    summary = go(prepare(make_job(source, output, registry)))
    key = layout.plan_key(summary.run)
    record = json.loads(output.get(key).data)
    del record["work"]["mark"]
    output.put(key, json.dumps({**record, "work_digest": "sha256:" + "0" * 64}).encode())
    with pytest.raises(WorkDigestError, match=r"2 outputs .*\(mark: none -> xmp-1\)"):
        prepare(make_job(source, output, registry))


class Unlisted(FileStore):
    """Credentials that may get, and not list."""

    def list(self, *_, **__):
        raise AccessError("no access to the listing")


def test_keys_that_are_named_need_no_listing(registry, tmp_path):
    keys = fill(FileStore(tmp_path / "in"), 3)
    source, output = Unlisted(tmp_path / "in"), open_store("memory://named/out/")
    with pytest.raises(AccessError):
        prepare(make_job(source, output, registry))
    assert go(prepare(make_job(source, output, registry, keys=tuple(keys[1:])))).ok == 2


def test_limit_goes_on_where_it_ended(registry):
    source, output = open_store("memory://limit/in/"), open_store("memory://limit/out/")
    keys = fill(source, 10)
    done = []
    for _ in range(3):
        prepared = prepare(make_job(source, output, registry, limit=4))
        done.append([item.key for item in prepared.plan.items()])
        go(prepared)
    assert done == [keys[:4], keys[4:8], keys[8:]]


def test_a_run_that_was_stopped_goes_on_with_the_rest(registry):
    source, output = open_store("memory://stopped/in/"), open_store("memory://stopped/out/")
    fill(source, 40)
    heard = []
    ended = run(prepare(make_job(source, output, registry)), "local", None, heard.append, lambda: len(heard) > 10)
    assert ended.summary is None
    assert 10 <= ended.totals.count < 40
    assert len(contents(output)) == ended.totals.count
    assert list(history.read_summaries(output)) == []
    rest = prepare(make_job(source, output, registry))
    assert (rest.left, rest.begun.totals) == (40 - ended.totals.count, ended.totals)
    check_records(rest, summary := go(rest))
    assert (summary.ok, summary.ok_before) == (40, ended.totals.ok)
    assert list(run_names(output)) == [summary.run]
    assert len(contents(output)) == 40


class Full(FileStore):
    """A disk that is full after some pictures."""

    def put(self, key, data, **options):
        if key.endswith("0020.png"):
            raise StoreError("could not write: the disk is full")
        return super().put(key, data, **options)


def test_a_store_that_fails_ends_the_run_and_marks_nothing_failed(registry, tmp_path):
    source = open_store("memory://full/in/")
    fill(source, 40)
    prepared = prepare(make_job(source, Full(tmp_path), registry))
    with pytest.raises(StoreError, match=r"disk is full\n\d+ of 40 images are done and recorded") as caught:
        go(prepared)
    assert caught.value.exit_code == 4
    (name,) = run_names(prepared.job.output)
    past = [entry for _, entries in read_ledger(prepared.job.output, name) for entry in entries]
    assert {entry.outcome for entry in past} == {"ok"}
    assert list(history.read_summaries(prepared.job.output)) == []
    rest = prepare(make_job(source, open_store(str(tmp_path)), registry))
    assert rest.left == 40 - len(past)
    summary = go(rest)
    assert (summary.run, summary.ok, summary.ok_before) == (name, 40, len(past))


def test_a_source_replaced_during_the_run_is_an_outcome_and_taken_by_the_next(registry):
    source, output = open_store("memory://replaced/in/"), open_store("memory://replaced/out/")
    keys = fill(source, 4)
    prepared = prepare(make_job(source, output, registry))
    source.put(keys[1], picture(99))
    source.delete(keys[2])
    summary = go(prepared)
    assert (summary.ok, summary.codes) == (2, {"input.changed": 1, "input.gone": 1})
    assert [item.key for item in prepare(make_job(source, output, registry)).plan.items()] == [keys[1]]


def test_an_output_that_comes_meanwhile_is_kept_with_never(registry):
    source, output = open_store("memory://meanwhile/in/"), open_store("memory://meanwhile/out/")
    keys = fill(source, 4)
    prepared = prepare(make_job(source, output, registry, overwrite="never"))
    output.put(keys[0], b"mine")
    summary = go(prepared)
    assert (summary.ok, summary.skipped, summary.codes) == (3, 1, {"output.exists": 1})
    assert output.get(keys[0]).data == b"mine"
    page = output.get(layout.report_key(summary.run)).data.decode()
    assert "output.exists" not in page, "an output that was kept is no failure"


@pytest.mark.parametrize(
    ("name", "data"),
    [("plan.json", b'{"run": '), ("plan.json", b'{"schema_version": 99}'), ("ledger/000000.jsonl", b'{"key": "x"}\n')],
)
def test_records_that_cannot_be_read_are_named(registry, tmp_path, name, data):
    source, output = open_store("memory://damaged/in/"), open_store(str(tmp_path))
    fill(source, 2)
    summary = go(prepare(make_job(source, output, registry)))
    output.put(layout.run_prefix(summary.run) + name, data)
    with pytest.raises(UsageError, match=rf"{name}' in .* cannot be read.*remove _translate/runs/{summary.run}/"):
        prepare(make_job(source, output, registry))


def test_the_estimate_is_of_a_warm_network(registry, monkeypatch):
    source, output = open_store("memory://warm/in/"), open_store("memory://warm/out/")
    fill(source, 6)
    prepared = prepare(make_job(source, output, registry))
    seconds = iter([0.0, 9.0, 10.0, 10.1, 20.0, 20.2, 30.0, 30.3])  # when an image begins and ends, by the clock
    clock = SimpleNamespace(perf_counter=lambda: next(seconds))
    monkeypatch.setattr("translate.batch.estimate.time", clock)
    found = estimate(prepared)
    assert found.seconds == pytest.approx(6 * 0.2 / prepared.engine.concurrency)
    assert found.basis.endswith("by 3 measured now")


def test_the_estimate_says_what_it_rests_on(registry):
    source, output = open_store("memory://estimate/in/"), open_store("memory://estimate/out/")
    fill(source, 6)
    source.put("aaa.png", b"not an image")
    prepared = prepare(make_job(source, output, registry))
    measured = estimate(prepared)
    assert measured.seconds > 0
    assert "measured now" in measured.basis
    assert list(output.list()) == [], "estimating writes nothing"
    summary = go(prepared)
    known = estimate(prepare(make_job(source, output, registry, overwrite="always")))
    assert known.seconds == pytest.approx(7 * summary.seconds / summary.ok)
    assert summary.run in known.basis


ODD_KEYS = [
    "plain.png",
    "with space.png",
    "ünïcödé/\u65e5\u672c.png",
    "emoji \U0001f600.png",
    "a+b%20c#d?e&f.png",
    "new\nline.png",
    "quote\"'.png",
    "back\\slash.png",
    "tab\t.png",
    "x" * 240 + ".png",
    "%2e%2e/up.png",
    "~/home.png",
    "-rf.png",
    "deep/" * 100 + "d.png",
    ".hidden.png",
    "C:/win.png",
]
UNSAFE_KEYS = ["../up.png", "a/../../up.png", "/lead.png", "a//b.png", "./here.png", "y" * 300 + ".png", "nul\0.png"]


def test_odd_keys_survive_and_unsafe_ones_never_leave_the_folder(registry, tmp_path):
    source, output = open_store("memory://odd/in/"), open_store(str(tmp_path / "inner" / "out"))
    for seed, key in enumerate(ODD_KEYS + UNSAFE_KEYS):
        source.put(key, picture(seed, 8, 8))
    prepared = prepare(make_job(source, output, registry))
    summary = go(prepared)
    assert summary.codes == {"output.key_refused": len(UNSAFE_KEYS)}
    assert sorted(contents(output)) == sorted(ODD_KEYS)
    check_records(prepared, summary)
    assert {path.name for path in tmp_path.iterdir()} == {"inner"}
    assert {path.name for path in (tmp_path / "inner").iterdir()} == {"out"}
    again = prepare(make_job(source, output, registry)).plan
    assert list(again.items()) == []
    assert again.considered.failed_before == len(UNSAFE_KEYS)


@pytest.mark.s3
def test_odd_keys_from_bucket_to_bucket(s3_server, registry):
    bucket = s3_server.make_bucket()
    source = open_store(f"s3://{bucket}/in/", endpoint_url=s3_server.endpoint_url)
    output = open_store(f"s3://{bucket}/out/", endpoint_url=s3_server.endpoint_url)
    keys = ["with space.png", "\u65e5\u672c.png", "a+b%20c#d?e&f.png", "quote\"'.png", "x" * 240 + ".png"]
    for seed, key in enumerate(keys):
        source.put(key, picture(seed, 8, 8))
    prepared = prepare(make_job(source, output, registry))
    summary = go(prepared)
    assert (summary.ok, summary.failed) == (len(keys), 0)
    check_records(prepared, summary)
