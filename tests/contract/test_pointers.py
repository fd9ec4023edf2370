"""Champion and previous over every store: of rivals one wins, a killed one leaves no half, the rest is refused."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch

import translate.registry.registry
from translate.config import Domains
from translate.errors import ModelError, PointersMovedError, PreconditionError, StoreError, UsageError
from translate.models.bundle import DOCUMENT, WEIGHTS, write_bundle
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry, open_model
from translate.registry.pointers import KEPT_MOVES, Pointers, read_pointers, write_pointers
from translate.stores import open_store
from translate.stores.contract import PutMode
from translate.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

RACERS = 6
ROUNDS = {"file": 20, "memory": 20, "s3": 3}
"""SeaweedFS lets racers for one key wait for seconds."""


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def scheme(request):
    return str(request.param)


@pytest.fixture
def url(scheme, tmp_path, request, monkeypatch):
    if scheme == "s3":
        server = request.getfixturevalue("s3_server")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        return f"s3://{server.make_bucket()}/models/"
    return str(tmp_path / "registry") if scheme == "file" else f"memory://{uuid.uuid4().hex}/models/"


@pytest.fixture(autouse=True)
def shipped(tmp_path, monkeypatch):
    """Another folder of shipped models, empty at first."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(translate.registry.registry, "shipped_folder", lambda _: folder)
    return folder


def made(seed=0):
    name, config = parse_config("generator", {"architecture": "resnet", "width": 4, "blocks": 1}, "test")
    torch.manual_seed(seed)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return build("generator", name, config), facts


def filled(url, versions=3):
    registry = ModelRegistry(url)
    for seed in range(versions):
        registry.publish("m", *made(seed), {"card.md": b"# m"})
    return registry


def state(registry):
    pointers = registry.pointers("m")
    return pointers.champion, pointers.previous


def newest_loaded(registry, reference="m"):
    return registry.load(reference).facts.reference


def test_a_bare_name_is_the_newest_until_there_is_a_champion(url):
    registry = filled(url, 2)
    assert registry.pointers("m") == Pointers()
    assert newest_loaded(registry) == newest_loaded(registry, "m@champion") == "m@2"
    with pytest.raises(ModelError, match="'m' has no previous champion"):
        registry.load("m@previous")
    moved = registry.promote("m@1", why="greener")
    assert (moved.champion, moved.previous) == (1, None)
    assert moved == registry.pointers("m")
    assert moved.etag == open_store(url).head("m/pointers.json").etag
    assert newest_loaded(registry) == newest_loaded(registry, "m@champion") == "m@1"
    assert registry.publish("m", *made(9), {}) == "m@3"
    assert newest_loaded(registry) == "m@1", "publishing does not move it"
    assert open_model("m", url).facts.reference == "m@1"
    assert [(each.name, each.version) for each in registry.list()] == [("m", 1), ("m", 2), ("m", 3)]


def test_behind_a_gate_a_bare_name_means_nothing_until_one_is_promoted(url):
    registry = ModelRegistry(url)
    gated = registry.gate("m", expected=registry.pointers("m"))
    assert gated == registry.pointers("m")
    assert (gated.gated, gated.champion) == (True, None)
    with pytest.raises(ModelError, match=r"'m' has no champion: .* pass yet, and none is published"):
        registry.load("m")
    filled(url, 2)
    with pytest.raises(ModelError, match=r"'m' has no champion: .* pass yet\. Name one of m@1, m@2, or promote one"):
        registry.load("m")
    assert newest_loaded(registry, "m@2") == "m@2"
    assert [(each.name, each.version) for each in registry.list()] == [("m", 1), ("m", 2)]
    registry.promote("m@1")
    assert newest_loaded(registry) == "m@1"
    with pytest.raises(PointersMovedError):
        registry.gate("m", expected=gated)


def test_promotions_and_rollbacks_leave_their_history(url):
    registry = filled(url)
    registry.promote("m@1", why="first")
    registry.promote("m@3", why="better")
    assert state(registry) == (3, 1)
    assert newest_loaded(registry, "m@previous") == "m@1"
    assert registry.rollback("m", "green skies").champion == 1
    assert state(registry) == (1, 3)
    registry.rollback("m")
    assert state(registry) == (3, 1), "a second rollback undoes the first"
    moves = registry.pointers("m").moves
    assert [(move.from_version, move.to_version, move.why) for move in moves] == [
        (None, 1, "first"), (1, 3, "better"), (3, 1, "green skies"), (1, 3, "")]
    assert all(f"translate {translate.__version__})" in move.by and move.when.endswith("+00:00") for move in moves)


def test_what_is_the_champion_already_stays_it_without_a_move(url):
    registry = filled(url)
    registry.promote("m@1")
    first = registry.promote("m@2", why="better")
    assert registry.promote("m@2", why="again") == first
    assert registry.promote("m@2", why="again", expected=Pointers()) == first
    assert state(registry) == (2, 1), "it does not become its own previous"


def test_whoever_has_seen_an_older_state_is_told_who_was_first(url):
    registry = filled(url)
    seen = registry.pointers("m")
    registry.promote("m@2", why="KID 0.031 -> 0.028")
    with pytest.raises(PointersMovedError, match=r"moved the champion of 'm' to m@2 at .* \(KID 0\.031 -> 0\.028\) "
                                                 r"since it was looked at") as raised:
        registry.promote("m@3", expected=seen)
    assert raised.value.exit_code == 5
    assert state(registry) == (2, None)
    seen = registry.pointers("m")
    registry.promote("m@1")
    registry.promote("m@2")
    with pytest.raises(PointersMovedError, match="from m@1 to m@2"):
        registry.promote("m@3", expected=seen)  # moved there and back again: another state all the same
    assert state(registry) == (2, 1)
    registry.promote("m@3", expected=registry.pointers("m"))
    assert state(registry) == (3, 2)


@pytest.mark.parametrize("reference", ["m", "m@champion", "m@previous"])
def test_only_a_version_is_promoted(url, reference):
    with pytest.raises(UsageError, match=r"promote which version of 'm'\? .* expected e\.g\. m@2"):
        filled(url, 1).promote(reference)


def test_what_is_not_whole_is_never_promoted(url):
    registry, store = filled(url), open_store(url)
    registry.promote("m@1")
    before = registry.pointers("m")
    with pytest.raises(ModelError, match="no model 'm@7'"):
        registry.promote("m@7")
    store.delete("m/2/" + DOCUMENT)
    with pytest.raises(ModelError, match="no model 'm@2'"):
        registry.promote("m@2")
    weights = bytearray(store.get("m/3/" + WEIGHTS).data)
    weights[-1] ^= 1
    store.put("m/3/" + WEIGHTS, bytes(weights))
    with pytest.raises(ModelError, match="digest"):
        registry.promote("m@3")
    store.delete("m/3/" + WEIGHTS)
    with pytest.raises(ModelError, match=r"weights\.safetensors is missing"):
        registry.promote("m@3")
    assert registry.pointers("m") == before


def test_a_rollback_needs_a_previous_champion_that_is_whole(url):
    registry, store = filled(url), open_store(url)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"'m' has no previous champion .*translate models promote m@VERSION"):
            registry.rollback("m")
        registry.promote("m@1")
    registry.promote("m@2")
    store.delete("m/1/" + DOCUMENT)
    with pytest.raises(ModelError, match="no model 'm@1'"):
        registry.rollback("m")
    assert state(registry) == (2, 1)


def test_a_champion_that_vanished_is_an_error_and_nothing_else_is_taken(url):
    registry = filled(url)
    registry.promote("m@2")
    open_store(url).delete("m/2/" + DOCUMENT)
    with pytest.raises(ModelError, match=r"no model 'm' \(it is m@2\) .*known: m@1, m@3"):
        registry.load("m")


def test_the_champion_may_be_a_shipped_version(url, shipped):
    network, facts = made(5)
    write_bundle(open_store(str(shipped)), "m/1/", network, facts.model_copy(update={"version": 1}), {})
    registry = ModelRegistry(url)
    registry.publish("m", *made(6), {})
    registry.promote("m@2")
    registry.promote("m@1", why="as it came")
    assert newest_loaded(registry) == "m@1"
    registry.rollback("m")
    assert newest_loaded(registry) == "m@2"
    assert not list(shipped.rglob("pointers.json"))


def race(entrants: list[Callable[[], Pointers]]) -> list[Pointers | PointersMovedError]:
    gate = threading.Barrier(len(entrants))

    def run(entrant: Callable[[], Pointers]) -> Pointers | PointersMovedError:
        gate.wait(60)
        try:
            return entrant()
        except PointersMovedError as error:
            return error

    with ThreadPoolExecutor(len(entrants)) as pool:
        return list(pool.map(run, entrants))


def test_of_promoters_at_once_one_wins_each_round_and_the_history_is_one_line(url, scheme):
    registry = filled(url, RACERS)
    winners = []
    for number in range(ROUNDS[scheme]):
        seen = registry.pointers("m")
        others = [version for version in range(1, RACERS + 1) if version != seen.champion]

        def entrant(version, number=number, seen=seen):
            return lambda: ModelRegistry(url).promote(f"m@{version}", expected=seen, why=f"{number}: {version}")

        ended = race([entrant(version) for version in others])
        won = [version for version, end in zip(others, ended, strict=True) if isinstance(end, Pointers)]
        assert len(won) == 1
        told = [str(end) for end in ended if isinstance(end, PointersMovedError)]
        assert all(f"to m@{won[0]} at" in words and f"({number}: {won[0]})" in words for words in told)
        assert registry.pointers("m").champion == won[0]
        winners.append(won[0])
    moves = registry.pointers("m").moves
    assert [move.to_version for move in moves] == winners
    assert all(one.to_version == other.from_version for one, other in pairwise(moves))
    assert state(registry) == (winners[-1], winners[-2])


def test_the_history_is_bounded_and_no_content_comes_twice(url):
    store, pointers = open_store(url), Pointers()
    contents = set()
    for number in range(KEPT_MOVES + 2 if url.startswith("memory") else 4):
        pointers = write_pointers(store, "m", pointers, pointers.moved_to(1 + number % 2, ""))
        contents.add(store.get("m/pointers.json").data)
    assert read_pointers(store, "m") == pointers
    assert len(contents) == pointers.writes
    assert len(pointers.moves) == min(pointers.writes, KEPT_MOVES)


def test_pointers_that_cannot_be_read_are_an_error_and_stay(url):
    registry, store = filled(url, 1), open_store(url)
    for data in (b"{", b'{"schema_version": 99}', b'{"champion": "first"}'):
        store.put("m/pointers.json", data)
        for doing in (lambda: registry.promote("m@1"), lambda: registry.load("m"), lambda: registry.rollback("m")):
            with pytest.raises(ModelError, match=r"m/pointers\.json is damaged"):
                doing()
        assert store.get("m/pointers.json").data == data
        assert newest_loaded(registry, "m@1") == "m@1"


class Killed(BaseException):
    """The process died."""


class Mortal:
    """A store whose process dies before its n-th write."""

    def __init__(self, store, lives):
        self._store, self._lives = store, lives

    def __getattr__(self, name):
        return getattr(self._store, name)

    def _live(self):
        if self._lives == 0:
            raise Killed
        self._lives -= 1

    def put(self, *args, **options):
        self._live()
        return self._store.put(*args, **options)

    def delete(self, key):
        self._live()
        self._store.delete(key)


def test_versions_that_are_pruned_are_gone_and_the_others_stay(url):
    registry, store = filled(url, 5), open_store(url)
    registry.promote("m@1")
    registry.promote("m@3")
    assert (registry.prunable("m", 1), registry.prunable("m", 2), registry.prunable("m", 9)) == ([2, 4], [2], [])
    for versions in ([1], [3], [5], [2, 5], [7]):
        with pytest.raises(UsageError, match=rf"m@{versions[-1]} stays"):
            registry.prune("m", versions)
    registry.prune("m", [2, 4])
    assert [each.version for each in registry.list()] == [1, 3, 5]
    assert {info.key.split("/")[1] for info in store.list("m/")} == {"1", "3", "5", "pointers.json"}
    assert state(registry) == (3, 1)
    for version in (1, 3, 5):
        assert newest_loaded(registry, f"m@{version}") == f"m@{version}"
    with pytest.raises(ModelError, match="m@2 was pruned"):
        registry.promote("m@2")
    assert registry.publish("m", *made(), {}) == "m@6", "a number is never given twice"
    with pytest.raises(UsageError, match="the newest one always stays"):
        registry.prunable("m", 0)


def test_without_a_champion_the_newest_stays(url):
    registry = filled(url, 3)
    registry.prune("m", registry.prunable("m", 1))
    assert [each.version for each in registry.list()] == [3]
    assert newest_loaded(registry) == "m@3"


def test_what_is_shipped_is_not_pruned(url, shipped):
    network, facts = made(5)
    write_bundle(open_store(str(shipped)), "m/1/", network, facts.model_copy(update={"version": 1}), {})
    registry = filled(url, 2)
    assert registry.prunable("m", 1) == [2]
    registry.prune("m", [2])
    assert [each.version for each in registry.list()] == [1, 3]


def test_a_promotion_that_meets_a_prune_loses_or_the_prune_does(url):
    registry = filled(url, 4)
    registry.promote("m@4")
    seen = registry.pointers("m")
    registry.prune("m", [1])
    with pytest.raises(PointersMovedError, match="versions of 'm' were pruned since it was looked at"):
        registry.promote("m@2", expected=seen)
    planned = registry.prunable("m", 1)
    assert planned == [2, 3]
    registry.promote("m@2")
    with pytest.raises(UsageError, match="m@2 stays"):
        registry.prune("m", planned)
    assert newest_loaded(registry) == "m@2"


@pytest.mark.parametrize("scheme", ["memory"], indirect=True)
def test_killed_before_any_write_there_is_a_champion_and_no_half_model(url):
    """Promotion, rollback and prune, killed before each of their writes; the same again then ends as it would have."""
    died = 0
    for step, doing in enumerate((
        lambda registry: registry.promote("m@3", why="better"),
        lambda registry: registry.rollback("m"),
        lambda registry: registry.prune("m", registry.prunable("m", 1)),
        lambda registry: registry.publish("m", *made(7), {"card.md": b"# m"}),
    )):
        for lives in range(30):
            place = f"{url}{step}/{lives}/"
            registry = filled(place, 5)
            registry.promote("m@1")
            registry.promote("m@2")
            before = registry.pointers("m")
            mortal = ModelRegistry(place)
            mortal._own = Mortal(open_store(place), lives)
            try:
                doing(mortal)
                break
            except Killed:
                died += 1
            registry = ModelRegistry(place)
            assert newest_loaded(registry) == "m@2"
            assert newest_loaded(registry, "m@previous") == "m@1"
            assert registry.pointers("m").moves == before.moves
            for each in registry.list():
                assert newest_loaded(registry, f"m@{each.version}") == f"m@{each.version}", "listed is whole"
            doing(registry)
            left = {int(info.key.split("/")[1]) for info in open_store(place).list("m/") if info.key.count("/") == 2}
            listed = {each.version for each in registry.list()}
            assert left - listed <= {6}, "what a killed publication claimed stays claimed; a prune leaves nothing"
        else:
            pytest.fail("it never came to its end")
    assert died >= 12


class Careless(MemoryStore):
    """Takes conditions and does not heed them, as some servers do."""

    def put(self, key, data, *, mode=PutMode.OVERWRITE, **options):
        del mode
        return super().put(key, data, **options)


def test_a_store_that_heeds_no_conditions_is_refused(monkeypatch):
    store = Careless(uuid.uuid4().hex)
    monkeypatch.setattr(translate.registry.registry, "open_store", lambda _: store)
    registry = filled(store.url, 1)
    with pytest.raises(StoreError, match=r"no conditional writes.*Name versions outright \(m@1\)") as raised:
        registry.promote("m@1")
    assert not isinstance(raised.value, PreconditionError)
    assert "m/pointers.json" not in [info.key for info in store.list()]
    assert newest_loaded(registry) == "m@1"
