"""Who is to blame for a worker's death, decided without Ray: it takes minutes to kill so many real ones."""

import pytest
from ray.exceptions import ActorDiedError, OutOfMemoryError

from pipelines import _dispatch
from pipelines._dispatch import DEATHS_OF_ONE_IMAGE, SPARED_DEATHS, Dispatch
from pipelines._pool import Member
from translate.errors import TranslateError
from translate.records.manifest import Item, Unit


class Pool:
    """Stands for workers at Ray: answers are numbers."""

    share = "2 processors"
    is_too_large = False

    def __init__(self, workers=1):
        self.members = [Member(None, 0.0, "idle", node="here") for _ in range(workers)]
        self.left, self.calls = workers, 0

    def arrive(self, _):
        return self.process(None, ())

    def process(self, member, _):
        self.calls += 1
        if member:
            member.state = "busy"
        return self.calls

    def fewer(self):
        self.left -= 1
        return self.left >= 1

    def as_asked(self):
        self.left = 99

    def remove(self, member):
        self.members.remove(member)
        self.members.append(Member(None, 0.0, "idle", node="here"))


@pytest.fixture
def nodes(monkeypatch):
    """Nodes that are lost."""
    lost = set()
    monkeypatch.setattr(_dispatch, "is_lost", lost.__contains__)
    return lost


def start(images, pool):
    unit = Unit(0, tuple(Item(f"{i}.png", "", 1, f"{i}.png", "png") for i in range(images)))
    return Dispatch([unit], pool, lambda _: None, lambda: False, lambda _: None)


def kill(dispatch, error, times):
    """Let workers die over the same image; returns its code, or an empty text while it has another chance."""
    for _ in range(times):
        dispatch._calls.clear()
        dispatch._hand_out()
        (waited,) = dispatch._calls
        dispatch._died(waited, error)
    return "".join(entry.code for _, entries in dispatch._in_hand.values() for entry in entries)


@pytest.mark.usefixtures("nodes")
def test_only_deaths_over_the_image_alone_count():
    dispatch = start(2, Pool())
    assert kill(dispatch, ActorDiedError(), 1) == "", "cut in halves"
    (first, second) = dispatch._again
    assert [len(first.items), len(second.items), first.deaths, second.deaths] == [1, 1, 0, 0]
    dispatch._again.pop()
    assert kill(dispatch, ActorDiedError(), DEATHS_OF_ONE_IMAGE - 1) == ""
    assert kill(dispatch, ActorDiedError(), 1) == "input.poison"


@pytest.mark.usefixtures("nodes")
def test_what_was_reported_is_not_done_again():
    dispatch = start(3, Pool())
    dispatch._calls.clear()
    dispatch._hand_out()
    ((waited, call),) = dispatch._calls.items()
    call.done.update(("0.png", "1.png"))
    dispatch._died(waited, ActorDiedError())
    (again,) = dispatch._again
    assert ([item.key for item in again.items], again.deaths) == (["2.png"], 0)


def test_lost_nodes_are_not_the_images_fault_for_a_while(nodes):
    dispatch = start(1, Pool())
    nodes.add("here")
    assert kill(dispatch, ActorDiedError(), SPARED_DEATHS) == ""
    assert dispatch._again[0].deaths == 0
    assert kill(dispatch, ActorDiedError(), DEATHS_OF_ONE_IMAGE) == "input.poison"


@pytest.mark.usefixtures("nodes")
def test_lack_of_memory_makes_the_pool_smaller_before_the_image_is_blamed():
    pool = Pool(workers=3)
    dispatch = start(1, pool)
    for _ in range(2):  # 3 workers, then 2
        waited = dispatch._pool.process(pool.members[0], ())
        dispatch._calls = {waited: _dispatch._Call(pool.members[0], _taken(dispatch))}
        dispatch._died(waited, OutOfMemoryError("full"))
    assert (pool.left, dispatch._again[0].spared, dispatch._again[0].deaths) == (1, 2, 0)
    for _ in range(DEATHS_OF_ONE_IMAGE):
        waited = dispatch._pool.process(pool.members[0], ())
        dispatch._calls = {waited: _dispatch._Call(pool.members[0], _taken(dispatch))}
        dispatch._died(waited, OutOfMemoryError("full"))
    ((_, (entry,)),) = dispatch._in_hand.values()
    assert entry.code == "input.poison"
    assert "for lack of memory" in entry.message
    assert pool.left == 99, "it was the image: as many workers as before"


def _taken(dispatch):
    assert dispatch._there_is_more()
    return dispatch._again.popleft()


def test_workers_that_die_before_they_have_a_model_end_the_job(nodes):
    dispatch = start(1, Pool())

    def die():
        dispatch._calls = {0: _dispatch._Call(dispatch._pool.members[0])}
        dispatch._died(0, ActorDiedError())

    nodes.add("here")
    for _ in range(5):
        die()
    nodes.clear()
    die()
    die()
    with pytest.raises(TranslateError, match=r"3 workers in a row died before they had a model: .* installed on every"):
        die()
