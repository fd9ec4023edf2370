"""Many runs, one after the other, at one destination: what a watch does for days."""

import pytest
from jobs import contents, fill, make_job, picture, publish_tiny

from translate.batch.notebook import Notebook
from translate.batch.run import prepare, run
from translate.progress import silent
from translate.registry import ModelRegistry
from translate.stores.memory import MemoryStore


class Counting(MemoryStore):
    """Counts what is asked of it."""

    asked = 0

    def list(self, *args, **options):
        self.asked += 1
        return super().list(*args, **options)

    def get(self, *args, **options):
        self.asked += 1
        return super().get(*args, **options)

    def head(self, *args, **options):
        self.asked += 1
        return super().head(*args, **options)


@pytest.fixture
def stores(request):
    source = MemoryStore(f"rounds-{request.node.name}", "in/")
    fill(source, 4)
    return source, Counting(f"rounds-{request.node.name}", "out/")


def do(prepared, images=None):
    heard = []
    return run(prepared, "local", 1, heard.append, lambda: images is not None and len(heard) > images)


def test_planning_costs_the_same_however_many_runs_there_were(stores, tmp_path):
    source, output = stores
    job, notebook, costs = make_job(source, output, publish_tiny(tmp_path)), Notebook(), []
    for number in range(6):
        source.put(f"new{number}.png", picture(number))
        before = output.asked
        prepared = prepare(job, silent, notebook=notebook)
        costs.append(output.asked - before)
        assert prepared.plan.count == (5 if number == 0 else 1)
        do(prepared)
    assert len(set(costs[2:])) == 1, costs
    before = output.asked
    prepare(job)
    assert output.asked - before > costs[-1] + 6, "who has no notebook reads what every run did"


def test_a_kept_notebook_knows_what_a_new_one_would(stores, tmp_path):
    source, output = stores
    job, notebook = make_job(source, output, publish_tiny(tmp_path)), Notebook()
    do(prepare(job, silent, notebook=notebook))
    source.put("late.png", picture(8))
    do(prepare(job, silent, notebook=notebook))
    changed, gone = "set0/0000.png", "set1/0001.png"
    source.put(changed, picture(9))
    output.delete(gone)
    kept, new = prepare(job, silent, notebook=notebook).plan, prepare(job).plan
    assert [item.key for item in kept.items()] == [item.key for item in new.items()] == [changed, gone]
    assert kept.considered == new.considered


def test_a_run_that_was_stopped_is_looked_at_again(stores, tmp_path):
    source, output = stores
    registry, notebook = publish_tiny(tmp_path), Notebook()
    do(prepare(make_job(source, output, registry), silent, notebook=notebook))
    fill(source, 40, height=32)  # others, and so changed
    stopped = do(prepare(make_job(source, output, registry), silent, notebook=notebook), images=1)
    assert stopped.summary is None
    other = make_job(source, output, registry, include=("set*",))
    ended = do(prepare(other, silent, notebook=notebook))
    assert ended.summary.ok == 40 - stopped.totals.count
    assert prepare(other, silent, notebook=notebook).is_empty


def test_each_round_takes_the_champion_of_its_start(stores, tmp_path):
    source, output = stores
    registry = publish_tiny(tmp_path, seed=1)
    publish_tiny(tmp_path, seed=2)
    models, notebook = ModelRegistry(registry), Notebook()
    models.promote("tiny@1")
    job = make_job(source, output, registry, overwrite="never")
    assert do(prepare(job, silent, notebook=notebook)).summary.work.model == "tiny@1"
    before = contents(output)
    models.promote("tiny@2")
    source.put("second.png", picture(7))
    prepared = prepare(job, silent, notebook=notebook)
    models.rollback("tiny")  # too late for this round
    second = do(prepared).summary
    source.put("third.png", picture(8))
    third = do(prepare(job, silent, notebook=notebook)).summary
    assert [(each.work.model, each.ok) for each in (second, third)] == [("tiny@2", 1), ("tiny@1", 1)]
    assert before.items() <= contents(output).items(), "what was there stays"
