"""A model on disk: written, read, and damaged in every way."""

import hashlib
import json

import pytest
import torch

from translate.config import Domains
from translate.errors import ConfigError, ModelError, PreconditionError
from translate.models.bundle import DOCUMENT, WEIGHTS, read_bundle, read_document, write_bundle
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts
from translate.stores import open_store


def made(**options):
    name, config = parse_config("generator", {"architecture": "resnet", "width": 4, "blocks": 1, **options}, "test")
    torch.manual_seed(0)
    network = build("generator", name, config)
    with torch.no_grad():
        network.train()(torch.rand(2, config.in_channels, 16, 16))
    facts = ModelFacts(
        name="ours", version=2, architecture=name, config=config.model_dump(),
        domains=Domains(a="Gemälde", b="photograph"),
        provenance={"images_seen": 1200, "data": {"a": 3}, "parent": None},
    )
    return network.eval(), facts


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    return open_store(str(tmp_path / "model") if request.param == "file" else f"memory://{tmp_path.name}")


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_what_is_written_is_read(store, norm):
    network, facts = made(norm=norm)
    written = write_bundle(store, "x/", network, facts, {"card.md": b"# Card", "card.jpg": b"jpeg"})
    translator = read_bundle(store, "x/")
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        assert torch.equal(translator(x), network(x))
    assert translator.facts == written
    assert written.digest.startswith("sha256:")
    assert translator.facts.model_copy(update={"digest": ""}) == facts
    assert sorted(info.key for info in store.list()) == ["x/card.jpg", "x/card.md", "x/model.json", f"x/{WEIGHTS}"]
    document = read_document(store, "x/")
    assert (document.schema_version, document.weights_dtype, document.files) == (1, "float32", ("card.jpg", "card.md"))


def test_the_same_weights_make_the_same_bytes(store):
    for prefix in ("one/", "two/"):
        write_bundle(store, prefix, *made(), {})
    for name in (WEIGHTS, DOCUMENT):
        assert store.get(f"one/{name}").data == store.get(f"two/{name}").data


def test_float16_halves_the_file_and_hardly_moves_the_output(store):
    network, facts = made(width=16)
    write_bundle(store, "full/", network, facts, {})
    write_bundle(store, "half/", network, facts, {}, dtype="float16")
    full, half = read_bundle(store, "full/"), read_bundle(store, "half/")
    assert store.head(f"half/{WEIGHTS}").size_bytes < 0.55 * store.head(f"full/{WEIGHTS}").size_bytes
    assert {parameter.dtype for parameter in half.network.parameters()} == {torch.float32}
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert 0 < (full(x) - half(x)).abs().max() < 0.01


def test_a_place_that_is_taken_is_left_alone(store):
    network, facts = made()
    write_bundle(store, "", network, facts, {})
    before = store.get(DOCUMENT).data
    with pytest.raises(PreconditionError):
        write_bundle(store, "", *made(norm="none"), {})
    assert store.get(DOCUMENT).data == before
    read_bundle(store, "")


def test_no_model_is_seen_before_it_is_whole(store):
    write_bundle(store, "", *made(), {})
    store.delete(DOCUMENT)
    with pytest.raises(ModelError, match="no model at"):
        read_bundle(store, "")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_are_not_finite_are_not_written(store, value):
    network, facts = made()
    with torch.no_grad():
        network.head.weight[0, 0, 0, 0] = value
    with pytest.raises(ModelError, match=r"not finite in float16.*head.weight"):
        write_bundle(store, "", network, facts, {}, dtype="float16")
    assert list(store.list()) == []


def test_wrong_facts_are_not_written(store):
    network, facts = made()
    with pytest.raises(ConfigError, match="colour"):
        write_bundle(store, "", network, facts.model_copy(update={"config": {"colour": 1}}), {})


def rewrite(store, change):
    values = json.loads(store.get(DOCUMENT).data)
    change(values)
    store.put(DOCUMENT, json.dumps(values).encode())


@pytest.mark.parametrize(("change", "message"), [
    (lambda v: v.update(schema_version=2), "schema version 2, this program reads 1; install a newer"),
    (lambda v: v.pop("schema_version"), "damaged: .*schema_version"),
    (lambda v: v.pop("domains"), "damaged: Field required"),
    (lambda v: v.update(surprise=1), "damaged: Extra inputs"),
    (lambda v: v.update(version="2"), "damaged: .*integer"),
    (lambda v: v.update(digest="sha256:00"), "damaged: its digest is sha256:.*, but model.json says sha256:00"),
    (lambda v: v.update(architecture="resnot"), "another architecture or config"),
    (lambda v: v["config"].update(residual_output=True), "another architecture or config"),
], ids=range(8))
def test_a_document_that_is_wrong_is_refused(store, change, message):
    write_bundle(store, "", *made(), {})
    rewrite(store, change)
    with pytest.raises(ModelError, match=message):
        read_bundle(store, "")


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_a_document_that_is_not_json_is_refused(store, text):
    write_bundle(store, "", *made(), {})
    store.put(DOCUMENT, text)
    with pytest.raises(ModelError, match="damaged"):
        read_bundle(store, "")


def test_damaged_weights_are_refused(store):
    write_bundle(store, "", *made(), {})
    data = bytearray(store.get(WEIGHTS).data)
    data[-1] ^= 1
    store.put(WEIGHTS, bytes(data))
    with pytest.raises(ModelError, match="digest"):
        read_bundle(store, "")
    store.delete(WEIGHTS)
    with pytest.raises(ModelError, match=f"{WEIGHTS} is missing"):
        read_bundle(store, "")


def test_weights_of_another_shape_name_the_keys(store):
    network, facts = made()
    network.head = torch.nn.Conv2d(4, 3, 5)
    network.extra = torch.nn.Linear(1, 1)
    del network.stem
    write_bundle(store, "", network, facts, {})
    with pytest.raises(ModelError, match=r"stem.0.weight is missing.*extra.weight is not known.*head.weight is "
                                         r"\[3, 4, 5, 5\], expected \[3, 4, 7, 7\]"):
        read_bundle(store, "")


def test_an_architecture_that_is_unknown_is_named(store):
    """Written by a version of the program that has it."""
    network, facts = made()
    write_bundle(store, "", network, facts, {})
    data = store.get(WEIGHTS).data
    strange = data.replace(b'\\"architecture\\":\\"resnet\\"', b'\\"architecture\\":\\"resnot\\"')
    assert strange != data
    store.put(WEIGHTS, strange)
    rewrite(store, lambda v: v.update(architecture="resnot", digest="sha256:" + hashlib.sha256(strange).hexdigest()))
    with pytest.raises(ModelError, match="unknown generator architecture 'resnot'; known: resnet, rrdb, unet"):
        read_bundle(store, "")
