"""What the records of a run say of its state and pace, and which URLs name a run."""

from __future__ import annotations

import os
import time

import pytest

from translate.errors import UsageError
from translate.inspection.status import locate, newest_run, read_all, read_status
from translate.provenance import Considered, PlanRecord, Work
from translate.records import layout, lease
from translate.records.holding import hold
from translate.records.ledger import Entry, write_segment
from translate.records.manifest import Item, Unit, write_plan, write_units
from translate.stores import open_store

RUN = "20261122T060000000Z-abcd"
WORK = Work(model="tiny@1", model_digest="sha256:00", size="native", format="keep", quality=92, pixels="exact",
            engine="torch-float32")


def unit(number, size=4):
    keys = [f"{number}-{i}.png" for i in range(size)]
    return Unit(number, tuple(Item(key, "e", 10, key, "png") for key in keys))


def entry(item, outcome="ok", code=""):
    return Entry(item.key, item.output_key, item.etag, outcome, code)


@pytest.fixture
def plan(tmp_path):
    """``plan(units)`` begins a run of four images a unit, in a folder."""
    store = open_store(str(tmp_path / "out"))

    def begin(units, run=RUN, fence=None):
        count = write_units(store, run, units)
        considered = Considered(to_do=sum(len(each.items) for each in units))
        write_plan(store, PlanRecord(
            run=run, started="2026-11-22T06:00:00+00:00", pipeline="", input_url="in", output_url=store.url, work=WORK,
            work_digest=WORK.digest, overwrite="changed", considered=considered, units=count, fence=fence,
            versions={}))
        return store

    return begin


def age(store, key, seconds):
    """Have it written so long ago."""
    moment = time.time() - seconds
    os.utime(store.root / key, (moment, moment))


def record(store, unit, seconds_ago, outcomes=("ok", "ok", "ok", "ok"), run=RUN, stopped=False):
    entries = [entry(item, outcome, "" if outcome == "ok" else "input.empty")
               for item, outcome in zip(unit.items, outcomes, strict=False)]
    write_segment(store, run, unit, entries)
    age(store, layout.ledger_key(run, unit.number, stopped=stopped), seconds_ago)


def test_a_run_at_work(plan):
    units = [unit(number) for number in range(5)]
    store = plan(units)
    age(store, layout.plan_key(RUN), 100)
    record(store, units[0], 60, ("ok", "failed", "ok", "ok"))
    record(store, units[1], 20)
    status = read_status(store, RUN)
    assert (status.state, status.planned, status.open) == ("running", 20, 12)
    assert (status.totals.ok, status.totals.failed, status.totals.codes) == (7, 1, {"input.empty": 1})
    assert status.recorded_s == pytest.approx(time.time() - 20, abs=5)
    assert status.images_per_second == pytest.approx(8 / 80, rel=0.01)
    assert status.seconds_left == pytest.approx(120, rel=0.01)


def test_a_run_that_has_only_begun(plan):
    store = plan([unit(0)])
    status = read_status(store, RUN)
    assert (status.state, status.open, status.images_per_second, status.seconds_left) == ("running", 4, None, None)


def test_a_run_lives_as_long_as_it_renews_its_lease(plan):
    store = plan([unit(0)], fence=1)
    assert read_status(store, RUN).state == "unfinished", "nobody holds the output"
    with hold(store, RUN, lease.look(store)) as held:
        assert held.fence == 1
        age(store, layout.plan_key(RUN), 90_000)
        status = read_status(store, RUN)
        assert (status.state, f"run {RUN}, by " in status.holder) == ("running", True), "however silent it is"
    assert (read_status(store, RUN).state, read_status(store, RUN).holder) == ("unfinished", ""), "given back"
    with hold(store, "another", lease.look(store)) as held:
        assert held.fence == 2
        assert read_status(store, RUN).state == "unfinished", "taken over"


def test_a_lease_that_is_not_renewed_is_death(plan):
    store = plan([unit(0)], fence=1)
    with hold(store, RUN, lease.look(store)):
        for seconds, state in ((lease.EXPIRES_AFTER_S + 30, "running"), (lease.EXPIRES_AFTER_S + 90, "unfinished")):
            age(store, lease.KEY, seconds)
            assert read_status(store, RUN).state == state


@pytest.mark.parametrize(("gaps", "silence", "state"), [
    ((10, 10), 200, "running"), ((10, 10), 400, "unfinished"),
    ((900, 900), 2000, "running"), ((900, 900), 3000, "unfinished"),
    ((30_000, 10), 400, "unfinished"),
])
def test_how_long_a_silence_is_death_depends_on_the_pace(plan, gaps, silence, state):
    units = [unit(number) for number in range(3)]
    store = plan(units)
    age(store, layout.plan_key(RUN), silence + sum(gaps))
    record(store, units[0], silence + gaps[1])
    record(store, units[1], silence)
    status = read_status(store, RUN)
    assert status.state == state
    assert (status.seconds_left is None) == (state == "unfinished")


def test_parts_of_a_unit_that_was_stopped_count_once(plan):
    units = [unit(0), unit(1)]
    store = plan(units)
    record(store, units[0], 20, ("ok", "failed"), stopped=True)
    record(store, units[0], 10)
    status = read_status(store, RUN)
    assert (status.totals.ok, status.totals.failed, status.open) == (4, 0, 4)


def test_the_pace_is_of_late(plan):
    units = [unit(number) for number in range(40)]
    store = plan(units)
    age(store, layout.plan_key(RUN), 90_000)
    for each in units[:5]:
        record(store, each, 80_000)
    for each in units[5:38]:  # went on in the morning
        record(store, each, 2 * (38 - each.number))
    assert read_status(store, RUN).images_per_second == pytest.approx(2.0, rel=0.05)


def test_which_runs_there_are(plan):
    store = plan([unit(0)], RUN)
    plan([unit(0), unit(1)], RUN.replace("-abcd", "-ef01"))
    write_units(store, "20261123T060000000Z-0000", [unit(0)])  # never began: no plan
    assert [status.planned for status in read_all(store)] == [4, 8]
    assert newest_run(store) == RUN.replace("-abcd", "-ef01")
    for run in ("20261123T060000000Z-0000", "nonsense", ".."):
        with pytest.raises(UsageError, match="there is no run"):
            read_status(store, run)


def test_no_runs(tmp_path):
    with pytest.raises(UsageError, match="no run has written to"):
        newest_run(open_store(str(tmp_path)))


@pytest.mark.parametrize("below", ["", "/", f"/{layout.RUNS}", f"/{layout.RUNS}{RUN}", f"/{layout.RUNS}{RUN}/",
                                   f"/{layout.RUNS}{RUN}/report.html"])
@pytest.mark.parametrize("place", ["s3://bucket", "s3://bucket/a/b", "memory://name/x", "{tmp}/out", "file://{tmp}/out"])
def test_urls_of_a_run(tmp_path, place, below):
    (tmp_path / "out").mkdir()
    place = place.format(tmp=tmp_path)
    store, run = locate(place + below)
    assert store.url == open_store(place).url
    assert run == (RUN if RUN in below else "")


def test_the_url_of_a_run_from_inside_its_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store, run = locate(f"{layout.RUNS}{RUN}")
    assert (store.url, run) == (str(tmp_path), RUN)
