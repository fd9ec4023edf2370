"""What every executor keeps: the same bytes, one entry for each item, gentle stops, errors as they are."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from jobs import contents, fill, make_job, picture, publish_tiny
from ray import cloudpickle

from translate.batch import run as batch_job
from translate.batch.executor import open_executor
from translate.batch.worker import open_engine
from translate.batch.workers import Workers
from translate.errors import (
    AccessError,
    ItemError,
    ModelError,
    StoreError,
    TranslateError,
    UnknownNameError,
    UsageError,
)
from translate.records import manifest
from translate.stores import open_store
from translate.stores.file import FileStore

if TYPE_CHECKING:
    from translate.batch.run import Prepared

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Ray's workers cannot import this file

EXECUTORS = ["local", pytest.param("ray", marks=pytest.mark.ray)]
IMAGES = 24


def never() -> bool:
    return False


def unheard(_: object) -> None:
    pass


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    return publish_tiny(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def prepared(tmp_path, registry, monkeypatch) -> Prepared:
    monkeypatch.chdir(tmp_path)  # workers have a folder of their own: relative places must reach them all the same
    source = open_store(str(tmp_path / "in"))
    fill(source, IMAGES)
    source.put("broken.png", picture(1)[:100])
    return batch_job.prepare(make_job(source, open_store("out"), os.path.relpath(registry)))


def units_of(prepared: Prepared):
    return list(manifest.cut(prepared.plan.items(), prepared.plan.count))


@pytest.fixture(scope="module")
def expected(tmp_path_factory, registry):
    """Outputs of one image after the other, without any executor."""
    from translate.batch.worker import Worker

    folder = tmp_path_factory.mktemp("expected")
    source, output = open_store(str(folder / "in")), open_store(str(folder / "out"))
    fill(source, IMAGES)
    prepared = batch_job.prepare(make_job(source, output, registry))
    worker = Worker(prepared.task, prepared.engine)
    for item in prepared.plan.items():
        assert worker.do(item).outcome == "ok"
    return contents(output)


@pytest.mark.parametrize("name", EXECUTORS)
def test_every_item_once_and_the_same_bytes(name, prepared, expected):
    executor = open_executor("auto", None if name == "local" else 2, IMAGES, prepared.engine)
    assert executor.name == name, "several workers mean Ray"
    heard, said = [], []
    units = units_of(prepared)
    finished = list(executor.run(prepared.task, units, heard.append, never, said.append))
    assert sorted(unit.number for unit, _ in finished) == [unit.number for unit in units]
    for unit, entries in finished:
        assert {entry.key for entry in entries} == {item.key for item in unit.items}
    assert sorted(entry.key for entry in heard) == [item.key for item in prepared.plan.items()]
    assert {entry.key: entry.code for entry in heard if entry.outcome != "ok"} == {"broken.png": "input.truncated"}
    assert contents(prepared.job.output) == expected
    assert said == [] if name == "local" else said[0] == "2 of 2 workers starting"


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_stop_keeps_what_is_finished(name, prepared):
    executor = open_executor(name, None, IMAGES, prepared.engine)
    heard = []
    finished = list(executor.run(prepared.task, units_of(prepared), heard.append, lambda: len(heard) >= 5, unheard))
    recorded = [entry.key for _, entries in finished for entry in entries]
    assert len(heard) >= 5
    assert sorted(recorded) == sorted(entry.key for entry in heard)
    written = set(contents(prepared.job.output))
    assert written == {entry.output_key for entry in heard if entry.outcome == "ok"}, "no output without an entry"


def test_after_a_stop_no_image_takes_its_turn_at_the_network(prepared, tmp_path):
    stop = threading.Event()

    class Stopping(FileStore):
        def get(self, key, **options):
            stop.set()
            return super().get(key, **options)

    task = replace(prepared.task, source=Stopping(tmp_path / "in"))
    executor = open_executor("local", None, IMAGES, prepared.engine)
    entries = [e for _, some in executor.run(task, units_of(prepared), unheard, stop.is_set, unheard) for e in some]
    assert {e.key for e in entries} <= {"broken.png"}, "an outcome that needs no network counts"
    assert contents(prepared.job.output) == {}


class Refusing(FileStore):
    """A folder that refuses every picture, as a bucket does whose credentials ran out."""

    def put(self, key, *_, **__):
        raise AccessError(f"may not write {key}: credentials expired")


class Flooded(FileStore):
    """A folder that fails at one picture, as a full disk does."""

    def put(self, key, data, **options):
        if key.endswith("0007.png"):
            raise StoreError("the disk is full")
        return super().put(key, data, **options)


@pytest.mark.parametrize("name", EXECUTORS)
def test_refused_credentials_end_the_run_and_nothing_is_marked_failed_by_them(name, prepared, tmp_path):
    task = replace(pickle.loads(pickle.dumps(prepared.task)), output=Refusing(tmp_path / "out"))
    executor = open_executor(name, None, IMAGES, prepared.engine)
    heard, recorded = [], []
    finished = executor.run(task, units_of(prepared), heard.append, never, unheard)
    with pytest.raises(AccessError, match=r"refused 3 images in a row.*credentials expired"):
        recorded.extend(e for _, some in finished for e in some)
    assert {e.code for e in [*heard, *recorded]} <= {"input.truncated"}


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_store_error_ends_the_run_after_what_was_finished(name, prepared, tmp_path):
    task = replace(prepared.task, output=Flooded(tmp_path / "out"))
    executor = open_executor(name, None, IMAGES, prepared.engine)
    heard, recorded = [], []
    finished = executor.run(task, units_of(prepared), heard.append, never, unheard)
    with pytest.raises(StoreError, match="disk is full"):
        recorded.extend(e for _, some in finished for e in some)
    assert sorted(e.key for e in recorded) == sorted(e.key for e in heard)
    assert {e.outcome for e in recorded} <= {"ok", "failed"}
    assert not [e for e in recorded if e.key.endswith("0007.png")]


def test_a_replaced_model_is_not_used(prepared):
    work = prepared.task.work.model_copy(update={"model_digest": "sha256:" + "0" * 64})
    with pytest.raises(ModelError, match="replaced meanwhile"):
        open_engine(replace(prepared.task, work=work), prepared.engine.translator)


class Deadly(FileStore):
    """A folder in which reading one picture kills the process, as a decoder out of memory would."""

    def get(self, key, **options):
        if key.endswith("0011.png"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().get(key, **options)


@pytest.mark.ray
@pytest.mark.slow
def test_an_image_that_kills_workers_is_set_aside_and_all_others_are_done(prepared, tmp_path, expected):
    task = replace(prepared.task, source=Deadly(tmp_path / "in"))
    executor = open_executor("ray", 1, IMAGES, prepared.engine)
    entries = [e for _, some in executor.run(task, units_of(prepared), unheard, never, unheard) for e in some]
    assert sorted(e.key for e in entries) == [item.key for item in prepared.plan.items()]
    codes = {e.key: e.code for e in entries if e.outcome != "ok"}
    assert codes == {"broken.png": "input.truncated", "set2/0011.png": "input.poison"}
    assert contents(prepared.job.output) == {k: v for k, v in expected.items() if k != "set2/0011.png"}


@pytest.mark.ray
def test_workers_without_a_place_are_told_of_and_can_be_stopped(prepared, monkeypatch):
    import ray

    from pipelines import _dispatch

    monkeypatch.setattr(_dispatch, "SLOW_START_S", 0.1)
    executor = open_executor("ray", 1, IMAGES, prepared.engine)
    everything = ray.cluster_resources()["CPU"]
    holder = ray.remote(num_cpus=everything)(Holder).remote()
    ray.get(holder.ready.remote())
    said = []
    try:
        run = executor.run(prepared.task, units_of(prepared), unheard, lambda: len(said) > 3, said.append)
        assert list(run) == []
    finally:
        ray.kill(holder)
    assert re.fullmatch(r"1 of 1 workers starting; each needs \d .*, 0 of Ray's \d+ processors are free", said[-1])


class Holder:
    """Takes a place in Ray."""

    def ready(self) -> None:
        pass


@pytest.mark.ray
@pytest.mark.slow
def test_workers_that_cannot_start_end_the_run_with_the_reason(prepared, tmp_path, monkeypatch):
    (tmp_path / "odd_store.py").write_text(
        "from translate.stores.file import FileStore\nclass Odd(FileStore):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import odd_store

    task = replace(prepared.task, source=odd_store.Odd(tmp_path / "in"))
    executor = open_executor("ray", 1, IMAGES, prepared.engine)
    with pytest.raises(TranslateError, match=r"a worker could not start: ModuleNotFoundError.*odd_store"):
        list(executor.run(task, units_of(prepared), unheard, never, unheard))


@pytest.mark.ray
def test_a_ray_of_our_own_without_gpus_says_so_at_once(prepared):
    executor = open_executor("ray", Workers(1, 1, gpus_each=1.0), IMAGES, prepared.engine)
    start_s = time.monotonic()
    with pytest.raises(UsageError, match="no worker finds a place with 1 GPU on this machine: Ray has no GPU in all"):
        executor.engine_name("auto")
    assert time.monotonic() - start_s < 30, "half of what it waits where a place may come"


@pytest.mark.ray
def test_ray_refuses_the_memory_of_one_process(prepared):
    task = replace(prepared.task, output=open_store("memory://far-away"))
    executor = open_executor("ray", 1, IMAGES, prepared.engine)
    with pytest.raises(UsageError, match="memory of this process"):
        list(executor.run(task, units_of(prepared), unheard, never, unheard))


def test_a_key_that_the_store_cannot_hold_costs_one_item(prepared):
    _, item, another, *_ = prepared.plan.items()
    outside = replace(item, output_key="../../outside.png")
    units = list(manifest.cut([another, outside], 2))
    executor = open_executor("local", None, 2, prepared.engine)
    entries = [e for _, some in executor.run(prepared.task, units, unheard, never, unheard) for e in some]
    assert sorted(e.code for e in entries) == ["", "output.key_refused"]


def test_unknown_executors_and_impossible_workers(prepared):
    with pytest.raises(UnknownNameError, match=r"unknown executor 'rai'; known: auto, local, ray"):
        open_executor("rai", None, 1, prepared.engine)
    with pytest.raises(UsageError, match="one worker, not 3; several need Ray"):
        open_executor("local", 3, 1, prepared.engine)
    assert open_executor("auto", None, 199, prepared.engine).name == "local"


def test_item_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(ItemError("input.empty", "nothing")))
    assert (error.code, error.message) == ("input.empty", "nothing")
