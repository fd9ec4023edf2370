"""The engine of a job: asked for, chosen once and kept; int8's weights lie beside the outputs."""

from dataclasses import replace

import pytest
from jobs import contents, fill, make_job, publish_tiny

from translate.batch.run import prepare, run
from translate.config import load_pipeline
from translate.engines import openvino
from translate.engines.torch import engine_name
from translate.errors import UnknownNameError, UsageError, WorkDigestError
from translate.inspection.retry import prepare_retry, read_failed
from translate.inspection.status import newest_run
from translate.records import layout
from translate.shipped import shipped_folder
from translate.stores import open_store


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    return publish_tiny(tmp_path_factory.mktemp("registry"), width=8)


@pytest.fixture
def job(request, registry):
    """Makes jobs over an input of 6 pictures and one output."""
    name = f"engines-{request.node.name}"
    source, output = open_store(f"memory://{name}/in/"), open_store(f"memory://{name}/out/")
    fill(source, 6, height=48, width=64)
    return lambda **changes: make_job(source, output, registry, **changes)


def demand(monkeypatch, name, least_db):
    """Let an engine say that so much agreement is the least."""
    monkeypatch.setitem(openvino.ENGINES, name, replace(openvino.ENGINES[name], least_db=least_db))


def do(prepared, images=None):
    heard = []
    return run(prepared, "local", 1, heard.append, lambda: images is not None and len(heard) > images)


def test_what_was_asked_for_is_planned_and_kept_by_auto(job):
    prepared = prepare(job(choice="openvino-float32", limit=3))
    assert do(prepared).summary.work.engine == "openvino-float32"
    rest = prepare(job())
    assert (rest.engine.name, rest.task.work.engine, rest.left) == ("openvino-float32", "openvino-float32", 3)
    with pytest.raises(WorkDigestError, match="engine: openvino-float32 -> torch-float32"):
        prepare(job(choice="torch-float32"))


def test_auto_keeps_the_engine_of_the_latest_outputs_not_of_the_newest_work(job):
    for engine in ("torch-float32", "openvino-float32", "torch-float32"):
        do(prepare(job(choice=engine, overwrite="stale")))
    again = prepare(job())
    assert again.engine.name == "torch-float32"
    assert again.is_empty


def test_int8_is_calibrated_once_and_its_weights_lie_beside_the_outputs(job, monkeypatch):
    demand(monkeypatch, "openvino-int8", 0.0)  # its weights are random
    first = prepare(job(choice="openvino-int8"))
    assert first.why_engine.endswith("calibrated on 6 images of the input")
    output = first.job.output
    name = first.task.work.engine
    assert not list(output.list()), "planning writes nothing"
    do(first, images=-1)  # its plan is written, and nothing is begun
    assert output.head(layout.calibrated_key(name)).size_bytes > 1000
    resumed = prepare(job(choice="openvino-int8"))
    assert resumed.begun is not None
    assert resumed.engine.name == name
    assert do(resumed).summary.ok == 6
    before = contents(output)
    assert prepare(job(choice="openvino-int8")).is_empty
    again = prepare(job(choice=name, overwrite="always"))
    assert again.calibrated is None
    do(again)
    assert contents(output) == before, "the same weights give the same bytes"
    retried = prepare_retry(
        read_failed(output, newest_run(output)), first.job.source, output, registry_url=first.job.registry_url
    )
    assert retried.task.work.engine == name


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["monet2photo", "photo2monet", "sketch2object"])
def test_shipped_models_agree_in_int8(pipeline):
    settings = load_pipeline(pipeline)
    source = open_store(str(shipped_folder("samples") / settings.samples))
    made = make_job(source, open_store(f"memory://engines-{pipeline}/out/"), None, model=settings.model,
                    choice="openvino-int8", size=settings.run.size)
    prepared = prepare(made)
    assert "calibrated on" in prepared.why_engine
    assert prepared.engine.precision == "int8"


def test_without_its_weights_an_unfinished_run_says_so(job, monkeypatch):
    demand(monkeypatch, "openvino-int8", 0.0)
    first = prepare(job(choice="openvino-int8"))
    do(first, images=-1)  # its plan is written, and nothing is begun
    first.job.output.delete(layout.calibrated_key(first.task.work.engine))
    with pytest.raises(WorkDigestError, match="needs its calibrated weights, but none are there"):
        prepare(job(choice="openvino-int8"))


def test_a_disagreeing_engine_is_refused_by_name(job, monkeypatch):
    demand(monkeypatch, "openvino-float32", 500.0)
    with pytest.raises(UsageError, match="engine openvino-float32 is refused for this model"):
        prepare(job(choice="openvino-float32"))


def test_few_images_are_not_measured(job):
    prepared = prepare(job())
    assert prepared.engine.name.startswith("torch-")
    assert prepared.engine.device in engine_name("auto") or prepared.engine.device == "cpu"


@pytest.mark.parametrize(("changes", "error", "words"), [
    ({"choice": "openvino-flaot32"}, UnknownNameError, "unknown engine 'openvino-flaot32'.*Did you mean 'openvino-fl"),
    ({"choice": "openvino-float32", "pixels": "compat"}, UsageError, "compat computes in float32 .*leave out --engine"),
    ({"choice": "openvino-float32", "device": "cuda"}, UsageError, "does not compute on the device cuda"),
    ({"choice": "openvino-float32", "engine": "torch-cuda-bfloat16"}, UsageError, "not what workers with a GPU have"),
])
def test_contradictions(job, changes, error, words):
    with pytest.raises(error, match=words):
        prepare(job(**changes))
