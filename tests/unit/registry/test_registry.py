"""Published models in real stores, the shipped ones behind them, and everything that names a model."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from reference_networks import ResnetReference, trained_like

import translate.registry.registry
from translate.config import Domains
from translate.errors import ModelError, UsageError
from translate.models.bundle import WEIGHTS, write_bundle
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry, import_foreign, open_model
from translate.stores import open_store


def made(seed=0):
    name, config = parse_config("generator", {"architecture": "resnet", "width": 4, "blocks": 1}, "test")
    torch.manual_seed(seed)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return build("generator", name, config), facts


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def url(request, tmp_path):
    if request.param == "s3":
        server = request.getfixturevalue("s3_server")
        request.getfixturevalue("monkeypatch").setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        return f"s3://{server.make_bucket()}/models/"
    return str(tmp_path / "registry") if request.param == "file" else f"memory://{tmp_path.name}/models/"


@pytest.fixture(autouse=True)
def shipped(tmp_path, monkeypatch):
    """Another folder of shipped models, so that these tests do not depend on which there are."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(translate.registry.registry, "shipped_folder", lambda _: folder)
    return folder


def ship(folder, name, version, seed=0):
    network, facts = made(seed)
    placed = facts.model_copy(update={"name": name, "version": version})
    write_bundle(open_store(str(folder)), f"{name}/{version}/", network, placed, {"card.md": b"shipped"})


def listed(registry):
    return [(each.name, each.version, each.origin) for each in registry.list()]


def test_a_registry_that_does_not_exist_yet_is_empty(url):
    registry = ModelRegistry(url)
    assert registry.list() == []
    with pytest.raises(ModelError, match=r"no model 'm' .*known: none"):
        registry.load("m")


def test_versions_count_up_and_stay(url):
    registry = ModelRegistry(url)
    first, second = made(1), made(2)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        expected = {1: first[0].eval()(x), 2: second[0].eval()(x)}
    assert registry.publish("zebra", *first, {}) == "zebra@1"
    assert registry.publish("zebra", *second, {"card.md": b"# Zebra"}) == "zebra@2"
    assert registry.publish("apple", *first, {}) == "apple@1"
    assert listed(registry) == [("apple", 1, url), ("zebra", 1, url), ("zebra", 2, url)]
    assert torch.equal(registry.load("zebra@1")(x), expected[1])
    newest = registry.load("zebra")
    assert torch.equal(newest(x), expected[2])
    assert newest.facts.reference == "zebra@2"
    assert registry.file("zebra", "card.md") == b"# Zebra"
    with pytest.raises(ModelError, match=r"zebra@1 has no card\.md"):
        registry.file("zebra@1", "card.md")


def test_ten_comes_after_nine(url):
    store = open_store(url)
    network, facts = made()
    for version in (2, 9, 10):
        write_bundle(store, f"m/{version}/", network, facts.model_copy(update={"version": version}), {})
    assert ModelRegistry(url).load("m").facts.version == 10
    assert ModelRegistry(url).publish("m", network, facts, {}) == "m@11"


def test_names_that_begin_alike_are_kept_apart(url):
    registry = ModelRegistry(url)
    registry.publish("photo-2", *made(), {})
    assert registry.publish("photo", *made(), {}) == "photo@1"
    assert registry.load("photo").facts.name == "photo"


def test_publishers_at_once_get_versions_of_their_own(url):
    count = 6
    start = threading.Barrier(count)

    def publish(seed):
        network, facts = made(seed)
        start.wait(60)
        return ModelRegistry(url).publish("m", network, facts.model_copy(update={"provenance": {"seed": seed}}), {})

    with ThreadPoolExecutor(count) as pool:
        references = list(pool.map(publish, range(count)))
    assert sorted(references) == [f"m@{version}" for version in range(1, count + 1)]
    for seed, reference in enumerate(references):
        assert ModelRegistry(url).load(reference).facts.provenance == {"seed": seed}


def test_a_publication_that_broke_off_is_never_seen_nor_overwritten(url):
    registry = ModelRegistry(url)
    registry.publish("m", *made(), {})
    open_store(url).put(f"m/2/{WEIGHTS}", b"half a file")
    assert registry.load("m").facts.version == 1
    assert registry.publish("m", *made(), {}) == "m@3"


def test_shipped_models_stand_behind(url, shipped):
    ship(shipped, "monet", 1, seed=1)
    registry = ModelRegistry(url)
    assert listed(registry) == [("monet", 1, "shipped")]
    assert registry.load("monet").facts.reference == "monet@1"
    assert registry.file("monet", "card.md") == b"shipped"
    before = sorted(path.name for path in shipped.rglob("*"))
    assert registry.publish("monet", *made(2), {}) == "monet@2"
    assert registry.load("monet").facts.version == 2
    assert registry.load("monet@1").facts.version == 1
    assert listed(registry) == [("monet", 1, "shipped"), ("monet", 2, url)]
    assert sorted(path.name for path in shipped.rglob("*")) == before


def test_a_model_that_cannot_be_read_is_listed_with_its_problem(url):
    registry = ModelRegistry(url)
    registry.publish("good", *made(), {})
    open_store(url).put("bad/1/model.json", b'{"schema_version": 7}')
    bad, good = registry.list()
    assert (bad.name, bad.document) == ("bad", None)
    assert "schema version 7" in bad.problem
    assert good.document.name == "good"


@pytest.mark.parametrize("name", ["", "Zebra", "../zebra", "a b", "a/b", "-a", "a@1", "zebra\n", "ä"])
def test_names_that_cannot_be(tmp_path, name):
    with pytest.raises(UsageError, match="cannot name a model"):
        ModelRegistry(str(tmp_path)).publish(name, *made(), {})


@pytest.mark.parametrize("reference", ["m@", "m@0", "m@-1", "m@one", "m@1.0", "m@1@2"])
def test_versions_that_cannot_be(tmp_path, reference):
    with pytest.raises(UsageError, match="version number"):
        ModelRegistry(str(tmp_path)).load(reference)


def test_what_is_not_there_lists_what_is(tmp_path, shipped):
    ship(shipped, "monet", 1)
    registry = ModelRegistry(str(tmp_path / "r"))
    registry.publish("zebra", *made(), {})
    with pytest.raises(ModelError, match=r"no model 'zebra@2' in .*; known: monet@1, zebra@1"):
        registry.load("zebra@2")


def test_where_the_registry_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRANSLATE_REGISTRY", raising=False)
    ModelRegistry().publish("here", *made(), {})
    assert (tmp_path / "models" / "here" / "1" / "model.json").is_file()
    monkeypatch.setenv("TRANSLATE_REGISTRY", str(tmp_path / "env"))
    ModelRegistry().publish("there", *made(), {})
    assert (tmp_path / "env" / "there" / "1" / "model.json").is_file()
    assert ModelRegistry(str(tmp_path / "flag")).list() == []


def saved(network):
    data = io.BytesIO()
    torch.save(network.state_dict(), data)
    return data.getvalue()


def test_everything_that_names_a_model(url):
    reference = trained_like(ResnetReference(width=4, blocks=2))
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        expected = reference(x)
    files = open_store(url)
    files.put("nets/latest_net_G.pth", saved(reference))
    file = f"{url.rstrip('/')}/nets/latest_net_G.pth"
    assert import_foreign(file, "zebra", registry_url=url) == "zebra@1"
    for name in ("zebra", "zebra@1", f"{url.rstrip('/')}/zebra/1", file):
        translator = open_model(name, url)
        assert (translator(x) - expected).abs().max() < 1e-5, name
    document = ModelRegistry(url).document("zebra")
    assert document.provenance["imported_from"] == "latest_net_G.pth"
    assert document.config["blocks"] == 2


@pytest.mark.parametrize("reference", ["nowhere/latest_net_G.pth", "./nowhere", "latest.pth", "nowhere"])
def test_a_model_that_is_nowhere(tmp_path, monkeypatch, reference):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"no (file|model)"):
        open_model(reference)


def test_a_bare_word_that_is_a_folder_of_a_model_says_how_to_write_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network, facts = made()
    write_bundle(open_store("."), "Mine/", network, facts, {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"write \./Mine for the model in it"):
        open_model("Mine")
    with pytest.raises(ModelError, match="no model 'empty'") as raised:
        open_model("empty")
    assert "./empty" not in str(raised.value)
    assert open_model("./Mine").facts.name == "m"
