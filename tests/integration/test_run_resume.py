"""The same command after any end resumes the run that it began: plan, model, engine, and nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from jobs import contents, fill, make_job, picture, publish_tiny

from translate.batch.run import prepare, run
from translate.errors import EXIT_OK, WorkDigestError
from translate.inspection.retry import prepare_retry, read_failed
from translate.inspection.status import newest_run, read_status
from translate.records import layout, lease
from translate.records.history import read_ledger, run_names
from translate.registry import ModelRegistry
from translate.stores import open_store
from translate.stores.contract import PutMode
from translate.stores.memory import MemoryStore

IMAGES = 40


class Counting(MemoryStore):
    """Counts how often each key was written."""

    def __init__(self, name: str, prefix: str = "") -> None:
        super().__init__(name, prefix)
        self.puts: dict[str, int] = {}

    def put(self, key, data, **options):
        self.puts[key] = self.puts.get(key, 0) + 1
        return super().put(key, data, **options)


@pytest.fixture
def stores(request):
    """An input of 40 pictures, and an output."""
    name = f"resume-{request.node.name}"
    source = open_store(f"memory://{name}/in/")
    fill(source, IMAGES)
    return source, Counting(name, "out")


def do(prepared, images=None):
    """Run a prepared job, stopped after so many images of this time."""
    heard = []
    return run(prepared, "local", 1, heard.append, lambda: images is not None and len(heard) > images)


def entries_of(output, name):
    return [entry for _, entries in read_ledger(output, name) for entry in entries]


def test_after_a_kill_the_same_command_finishes_that_run(command, registry, tmp_path):
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    keys = fill(source, 120, height=200, width=300)
    flags = ["run", "--model", "tiny", "--registry", registry, "--executor", "local", "--input", source.url,
             "--output", output.url]
    program = [sys.executable, "-c", "from translate.cli.app import main; main()"]
    with subprocess.Popen([*program, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            until = time.monotonic() + 120
            while len(list(output.list(layout.RUNS))) < 5:  # units, plan, three segments
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
    (name,) = run_names(output)
    recorded = {entry.output_key for entry in entries_of(output, name)}
    before = {info.key: info.etag for info in output.list() if info.key in recorded}
    assert 0 < len(before) < 120
    modified_s = lease.read(output).modified_s - 150  # as if two minutes had gone by
    os.utime(tmp_path / "out" / lease.KEY, (modified_s, modified_s))
    source.put("new.png", picture(1))

    code, out, _ = command(*flags, "--dry-run")
    assert code == EXIT_OK
    assert f"resumes run {name}, which is not finished: {120 - len(before)} of 120 images are left" in out
    assert json.loads(command(*flags, "--dry-run", "--json")[1])["resumes"] == name
    code, out, err = command(*flags, "--json")
    assert code == EXIT_OK, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["run"], summary["ok"], summary["planned"], summary["fence"]) == (name, 120, 120, 2)
    assert (summary["resumed"], summary["done_before"], summary["ok_before"]) == (True, len(before), len(before))
    assert list(run_names(output)) == [name], "one run"
    assert sorted(entry.key for entry in entries_of(output, name)) == keys, "each once"
    after = {info.key: info.etag for info in output.list()}
    assert before == {key: after[key] for key in before}, "what was recorded was not done again"
    assert read_status(output, name).state == "finished"
    assert "120 images</strong> translated, " in (tmp_path / "out" / layout.report_key(name)).read_text()

    code, out, _ = command(*flags)
    assert "1 of 1 images translated in" in out, "what arrived meanwhile is for the next run"
    assert len(list(run_names(output))) == 2
    assert sorted(contents(output)) == sorted([*keys, "new.png"])


def test_however_often_it_is_stopped_nothing_is_done_twice(registry, stores):
    source, output = stores
    for images in (1, 0, 3, None):  # those under way end, too: some more each time
        prepared = prepare(make_job(source, output, registry))
        ended = do(prepared, images)
        entries = entries_of(output, next(iter(run_names(output))))
        assert len({entry.key for entry in entries}) == len(entries) == ended.totals.count
    assert ended.summary.ok == ended.summary.planned == IMAGES
    assert ended.summary.ok_before == prepared.begun.totals.ok > 0
    assert list(run_names(output)) == [ended.summary.run]
    assert {key: output.puts[key] for key in contents(output)} == dict.fromkeys(contents(output), 1)
    assert len(contents(output)) == IMAGES


def test_it_goes_on_with_its_model_though_a_newer_one_is_published(stores, tmp_path):
    source, output = stores
    models = publish_tiny(tmp_path / "models", seed=1)
    do(prepare(make_job(source, output, models)), 5)
    publish_tiny(tmp_path / "models", seed=2)
    summary = do(prepare(make_job(source, output, models))).summary
    assert (summary.work.model, summary.ok) == ("tiny@1", IMAGES)
    source.put("new.png", picture(1))
    with pytest.raises(WorkDigestError, match=r"40 outputs .*model: tiny@1 -> tiny@2"):
        prepare(make_job(source, output, models))


@pytest.mark.parametrize("name", ["tiny", "tiny@champion"])
def test_it_goes_on_with_its_model_though_the_champion_was_replaced(stores, tmp_path, name):
    source, output = stores
    models = publish_tiny(tmp_path / "models", seed=1)
    publish_tiny(tmp_path / "models", seed=2)
    registry = ModelRegistry(models)
    registry.promote("tiny@1")
    job = make_job(source, output, models, model=name)
    begun = do(prepare(job), 5).totals.count
    registry.promote("tiny@2", why="in the middle of the run")
    prepared = prepare(job)
    assert (prepared.task.model, prepared.task.work.model) == ("tiny@1", "tiny@1")
    summary = do(prepared).summary
    assert (summary.work.model, summary.ok, summary.ok_before) == ("tiny@1", IMAGES, begun)
    fresh = MemoryStore(f"resume-unbroken-{name}", "out")
    do(prepare(make_job(source, fresh, models, model="tiny@1")))
    assert contents(output) == contents(fresh), "the very pixels of a run that nobody interfered with"


def test_without_its_model_it_says_so(registry, stores, tmp_path):
    source, output = stores
    do(prepare(make_job(source, output, registry)), 5)
    (name,) = run_names(output)
    words = rf"run {name} in .* is not finished, and can't be resumed as it began \("
    with pytest.raises(WorkDigestError, match=words + r"no model 'tiny@1'.*--overwrite stale"):
        prepare(make_job(source, output, str(tmp_path)))
    other = publish_tiny(tmp_path / "other", seed=3)
    with pytest.raises(WorkDigestError, match=words + r"model: tiny@1 \(.*\) -> tiny@1 \("):
        prepare(make_job(source, output, other))
    assert prepare(make_job(source, output, other, overwrite="stale")).begun is None


def test_it_goes_on_with_its_engine(registry, stores):
    source, output = stores
    here = prepare(make_job(source, output, registry)).engine.name
    do(prepare(make_job(source, output, registry)), 5)
    (name,) = run_names(output)
    plan = json.loads(output.get(layout.plan_key(name)).data)
    other = {"torch-float32": "torch-bfloat16", "torch-bfloat16": "torch-float32"}[here]
    for engine in (other, "torch-cuda-bfloat16"):
        plan["work"]["engine"] = engine
        output.put(layout.plan_key(name), json.dumps(plan).encode())
        if engine == other:
            assert prepare(make_job(source, output, registry)).engine.name == other
        else:
            with pytest.raises(WorkDigestError, match=r"\(device 'cuda' is not available here"):
                prepare(make_job(source, output, registry))


@pytest.mark.parametrize("changes", [
    {"limit": 30}, {"sample": 3}, {"exclude": ("x/*",)}, {"include": ("set*",)}, {"keys": ("set0/0000.png",)},
    {"overwrite": "stale"}, {"max_megapixels": 50.0}, {"model": "tiny@1"}, {"pipeline": "mine"}, {"device": "cpu"},
])
def test_another_command_leaves_it_alone(registry, stores, changes):
    source, output = stores
    ended = do(prepare(make_job(source, output, registry)), 5)
    before = list(output.list())
    prepared = prepare(make_job(source, output, registry, **changes))
    assert prepared.begun is None
    considered = prepared.plan.considered
    assert considered.up_to_date == (1 if "keys" in changes else ended.totals.count), "what it did counts"
    assert list(output.list()) == before


def test_the_share_that_may_fail_is_no_other_command(registry, stores):
    source, output = stores
    do(prepare(make_job(source, output, registry)), 5)
    assert prepare(make_job(source, output, registry, fail_share=1.0)).begun is not None


def test_a_source_that_changed_since_the_plan_is_an_outcome_and_taken_by_the_next_run(registry, stores):
    source, output = stores
    do(prepare(make_job(source, output, registry)), 5)
    key = "set2/0038.png"  # the last of all
    source.put(key, picture(99))
    summary = do(prepare(make_job(source, output, registry))).summary
    assert (summary.ok, summary.codes) == (IMAGES - 1, {"input.changed": 1})
    again = prepare(make_job(source, output, registry))
    assert [item.key for item in again.plan.items()] == [key]


def test_a_run_that_died_before_its_totals_gets_them(registry, stores):
    source, output = stores
    summary = do(prepare(make_job(source, output, registry))).summary
    output.delete(layout.summary_key(summary.run))
    output.delete(layout.report_key(summary.run))
    prepared = prepare(make_job(source, output, registry))
    assert (prepared.left, prepared.is_empty) == (0, False)
    again = do(prepared).summary
    assert (again.run, again.ok, again.ok_before, again.images_per_second) == (summary.run, IMAGES, IMAGES, 0)
    assert all(output.puts[key] == 1 for key in contents(output))
    assert prepare(make_job(source, output, registry)).is_empty


def test_a_retry_between_does_not_keep_it_from_going_on(registry, stores):
    source, output = stores
    source.put("a.png", b"broken")  # the first of all
    do(prepare(make_job(source, output, registry)), 5)
    (name,) = run_names(output)
    source.put("a.png", picture(1))
    retried = do(prepare_retry(read_failed(output, name), source, output, registry_url=registry)).summary
    assert (retried.ok, retried.planned) == (1, 1)
    summary = do(prepare(make_job(source, output, registry))).summary
    assert (summary.run, summary.ok, summary.failed) == (name, IMAGES, 1)
    assert prepare(make_job(source, output, registry)).plan.considered.to_do <= 1


def test_a_retry_that_was_stopped_is_gone_on_with_by_a_retry_of_the_newest_run(registry, stores):
    source, output = stores
    keys = [info.key for info in source.list()]
    for key in keys[:30]:
        source.put(key, b"")
    first = do(prepare(make_job(source, output, registry))).summary
    for key in keys[:30]:
        source.put(key, picture(3))

    def retry():
        failed = read_failed(output, newest_run(output))
        assert failed.open == 0, "a retry has nothing that another command would do"
        return failed, prepare_retry(failed, source, output, registry_url=registry)

    assert do(retry()[1], images=3).summary is None
    assert newest_run(output) != first.run
    failed, prepared = retry()
    recorded = 30 - len(failed.keys)
    assert 0 < recorded < 30
    assert do(prepared).summary.ok == 30 - recorded
    assert set(contents(output)) == set(keys)
    assert retry()[0].keys == ()


def test_after_a_later_run_of_other_work_it_is_history(registry, stores):
    source, output = stores
    do(prepare(make_job(source, output, registry)), 5)
    assert do(prepare(make_job(source, output, registry, size=16, overwrite="stale"))).summary.ok == IMAGES
    with pytest.raises(WorkDigestError, match=r"40 outputs .*size: 16 -> native"):
        prepare(make_job(source, output, registry))


class Careless(MemoryStore):
    """Takes conditions and does not heed them."""

    def put(self, key, data, *, mode=PutMode.OVERWRITE, **options):
        del mode
        return super().put(key, data, **options)


def test_where_nothing_can_be_locked_the_run_may_be_at_work_and_is_not_touched(registry, stores):
    source, _ = stores
    output = Careless("resume-careless", "out")
    ended = do(prepare(make_job(source, output, registry)), 5)
    prepared = prepare(make_job(source, output, registry))
    assert (prepared.begun, prepared.left) == (None, IMAGES - ended.totals.count)


def test_a_sample_first_then_the_others(command, registry, tmp_path):
    source = open_store(str(tmp_path / "in"))
    keys = fill(source, 30)
    translate = partial(command, "run", "--model", "tiny", "--registry", registry, "--input", tmp_path / "in",
                        "--output", tmp_path / "out")
    code, out, _ = translate("--sample", 3)
    assert code == EXIT_OK
    assert "3 of 3 images translated in" in out
    assert "27 not in the sample" in out
    assert "the same command without --sample translates the others" in out
    done = sorted(contents(open_store(str(tmp_path / "out"))))
    assert [keys.index(key) for key in done] == [4, 14, 24]
    code, out, _ = translate()
    assert (code, "27 of 27 images translated in" in out, "3 up to date" in out) == (EXIT_OK, True, True)
    code, _, err = translate("--sample", 3, "--limit", 2)
    assert (code, "--sample and --limit exclude each other" in err) == (2, True)
