"""How many workers there are, decided without Ray."""

import pytest

from pipelines._pool import GIVEN_UP_S, PLACE_TIMEOUT_S, Member, change
from pipelines._share import Share, share_out
from translate.batch.workers import Workers

GB = 10**9


@pytest.mark.parametrize(
    ("nodes", "workers", "expected"),
    [
        ([2], None, (1, 2.0)),
        ([16], None, (8, 2.0)),
        ([8, 8], 4, (4, 2.0)),
        ([3], 2, (2, 1.0)),
        ([2], 4, (4, 0.5)),
        ([1, 1, 1, 1], None, (4, 1.0)),  # two processors for each would never be found on one node
        ([0, 3, 3], None, (2, 2.0)),
        ([0], 3, (3, 2.0)),  # a head without processors: an autoscaler brings nodes
        ([], None, (1, 2.0)),
    ],
)
def test_workers_fit_on_the_nodes(nodes, workers, expected):
    resources = [{"CPU": cpus, "memory": 64 * GB} for cpus in nodes]
    count, share = share_out(resources, Workers(workers, workers), GB)
    assert (count, share.cpus) == expected
    assert share.memory_bytes == GB


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (Workers(), (3, 2.0)),  # 8 GB hold two on the first node, 5 GB one on the second, whatever the processors
        (Workers(1, 2), (2, 2.0)),
        (Workers(5, 9), (5, 2.0)),  # two of them wait for a node to come
    ],
)
def test_memory_is_counted_for_each_node(workers, expected):
    nodes = [{"CPU": 16.0, "memory": 8 * GB}, {"CPU": 16.0, "memory": 5 * GB}]
    count, share = share_out(nodes, workers, 3.5 * GB)
    assert (count, share.cpus) == expected
    assert share.memory_bytes == 3.5 * GB


def test_a_fixed_number_shares_the_memory_that_there_is():
    assert share_out([{"CPU": 4.0, "memory": 6 * GB}], Workers(4, 4), 3 * GB) == (4, Share(1.0, 0.0, 3 * GB // 2))


def test_a_worker_asks_for_no_more_memory_than_any_node_has():
    assert share_out([{"CPU": 2.0, "memory": 2 * GB}], Workers(), 9 * GB) == (1, Share(2.0, 0.0, 2 * GB))


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [(1.0, (4, Share(1.0, 1.0, GB))), (0.5, (8, Share(0.5, 0.5, GB))), (2.0, (2, Share(2.0, 2.0, GB)))],
)
def test_gpus_decide_where_workers_have_one(gpus, expected):
    nodes = [{"CPU": 64.0, "memory": 64 * GB}, {"CPU": 4.0, "GPU": 4.0, "memory": 64 * GB}]
    assert share_out(nodes, Workers(gpus_each=gpus), GB) == expected


def members(*states, asked_s=0.0):
    return [Member(None, asked_s, state) for state in states]


@pytest.mark.parametrize(
    ("states", "bounds", "free", "started"),
    [
        (["busy"], Workers(), 3, 3),
        (["busy"], Workers(), 0, 0),
        (["busy", "busy"], Workers(2, 4), 9, 2),
        (["busy"], Workers(3, 3), 0, 2),  # up to the least also without a place: an autoscaler brings nodes for them
        (["busy", "loading"], Workers(), 2, 2),
        (["busy", "waiting"], Workers(), 2, 0),  # Ray has not yet counted that one
        (["busy", "idle"], Workers(), 2, 0),
        ([], Workers(), 0, 1),
    ],
)
def test_the_pool_grows_while_there_is_work_and_a_place(states, bounds, free, started):
    assert change(members(*states), bounds, free, 1.0, more=True) == (started, [])
    assert change(members(*states), bounds, free, 1.0, more=False)[0] == 0


def test_the_pool_shrinks_when_nothing_is_left_but_not_those_at_work():
    pool = members("busy", "busy", "idle", "loading", "waiting")
    assert change(pool, Workers(), 5, 1.0, more=False) == (0, [pool[4], pool[3], pool[2]])
    assert change(pool, Workers(4, 9), 5, 1.0, more=False) == (0, [pool[4]])
    assert change(members("busy", "busy"), Workers(), 5, 1.0, more=False) == (0, [])


def test_the_pool_shrinks_to_a_lower_bound_as_workers_end_their_work():
    pool = members("busy", "busy", "idle")
    assert change(pool, Workers(1, 1), 5, 1.0, more=True) == (0, [pool[2]])
    assert change(pool[:2], Workers(1, 1), 5, 1.0, more=True) == (0, [])


def test_who_finds_no_place_is_given_up_beyond_the_least():
    pool = members("busy", "waiting", "waiting")
    late_s = PLACE_TIMEOUT_S + 1
    assert change(pool, Workers(), 0, late_s, more=True) == (0, pool[1:])
    assert change(pool, Workers(2, 9), 0, late_s, more=True) == (0, [pool[1]])
    assert change(pool, Workers(3, 3), 0, late_s, more=True) == (0, [])
    assert GIVEN_UP_S > PLACE_TIMEOUT_S
