"""The checker of the invariants finds every kind of broken run: each is broken by hand, one way at a time."""

from __future__ import annotations

import json
import re

import pytest

from tests.chaos import invariants
from tests.chaos.invariants import Found
from tests.jobs import fill, make_job, picture, publish_tiny
from translate.batch.run import prepare, run
from translate.progress import silent
from translate.stores import open_store

IMAGES = 12
BROKEN = "set9/broken.png"


def lying_in(store):
    return {info.key: Found(store.get(info.key).data, info.etag) for info in store.list()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Two runs after each other that went well: (source, output, what a third one made without them)."""
    folder = tmp_path_factory.mktemp("sound")
    registry = publish_tiny(folder / "registry")
    source = open_store(str(folder / "in"))
    fill(source, IMAGES)
    source.put(BROKEN, picture(1)[:100])
    source.put("notes.txt", b"not listed as an image")
    for output, limits in (("out", (5, None)), ("reference", (None,))):
        for limit in limits:
            job = make_job(source, open_store(str(folder / output)), registry, limit=limit)
            run(prepare(job), "local", None, silent, lambda: False)
    reference = invariants.expectations(lying_in(open_store(str(folder / "reference"))))
    return lying_in(source), lying_in(open_store(str(folder / "out"))), reference


def record(output, name, run=0):
    """Key of one run's record."""
    runs = sorted({key.split("/")[2] for key in output if key.startswith("_translate/runs/")})
    return f"_translate/runs/{runs[run]}/{name}"


def altered(found, change):
    """A JSON record with a change."""
    value = json.loads(found.data)
    change(value)
    return Found(json.dumps(value).encode(), found.etag)


def relined(found, change):
    """JSON lines with a change to their list."""
    lines = [json.loads(line) for line in found.data.splitlines()]
    change(lines)
    return Found("".join(json.dumps(line) + "\n" for line in lines).encode(), found.etag)


def edit(name, change, run=0):
    """A way to break the output: a change to one of its records."""

    def breaks(output):
        key = record(output, name, run)
        how = relined if name.endswith(".jsonl") else altered
        output[key] = how(output[key], change)

    return breaks


def drop(name, run=0):
    def breaks(output):
        del output[record(output, name, run)]

    return breaks


def cut(name):
    def breaks(output):
        key = record(output, name)
        output[key] = Found(output[key].data[:-9], output[key].etag)

    return breaks


def lose_an_output(output):
    del output["set1/0001.png"]


def truncate_an_output(output):
    output["set1/0001.png"] = Found(output["set1/0001.png"].data[:60], output["set1/0001.png"].etag)


def replace_an_output(output):
    output["set1/0001.png"] = Found(picture(99), output["set1/0001.png"].etag)


def swap_two_outputs(output):
    output["set1/0001.png"], output["set1/0004.png"] = output["set1/0004.png"], output["set1/0001.png"]


def write_an_output_again(output):
    output["set1/0001.png"] = Found(output["set1/0001.png"].data, "another")


def leave_an_unrecorded_output(output):
    output["set1/7777.png"] = Found(picture(99), "x")


def record_another_picture(output):
    """As a worker that computed wrongly would: output and entry agree."""
    data = picture(99)
    output["set0/0000.png"] = found = Found(data, "new")
    changes = {"digest": found.digest, "size_bytes": len(data), "output_etag": "new"}
    edit("ledger/000000.jsonl", lambda lines: lines[0].update(changes))(output)


def record_it_in_both_runs(output):
    """As a run that plans what is done already: the ledger, plan and totals of the second agree."""
    done = json.loads(output[record(output, "ledger/000000.jsonl")].data.splitlines()[0])
    item = json.loads(output[record(output, "units/000000.jsonl")].data.splitlines()[0])["items"][0]
    edit("units/000000.jsonl", lambda units: units[0]["items"].append(item), run=1)(output)
    edit("ledger/000000.jsonl", lambda lines: lines.append(done), run=1)(output)
    edit("plan.json", lambda plan: plan["considered"].update(to_do=plan["considered"]["to_do"] + 1), run=1)(output)
    edit("summary.json", lambda all_: all_.update(ok=all_["ok"] + 1, planned=all_["planned"] + 1), run=1)(output)


def record_it_in_two_segments(output):
    line = output[record(output, "ledger/000000.jsonl")].data.splitlines(keepends=True)[0]
    key = record(output, "ledger/000001.jsonl")
    output[key] = Found(output[key].data + line, output[key].etag)


def contradict_a_stopped_unit(output):
    key = record(output, "ledger/000000.jsonl")
    line = json.loads(output[key].data.splitlines()[0]) | {"digest": "sha256:0"}
    output[key.replace(".jsonl", ".stopped.jsonl")] = Found(json.dumps(line).encode() + b"\n", "x")


def leave_a_strange_record(output):
    output[record(output, "ledger/000000.jsonl.tmp")] = Found(b"", "x")


def keep_the_lease(output):
    output["_translate/lease.json"] = altered(output["_translate/lease.json"], lambda v: v.update(released=False))


def cut_the_lease(output):
    output["_translate/lease.json"] = Found(output["_translate/lease.json"].data[:-5], "x")


WAYS = {
    "lost output": (lose_an_output, "output 'set1/0001.png' is recorded, but not there"),
    "truncated output": (truncate_an_output, "output 'set1/0001.png' does not decode to 32 x 24 pixels"),
    "altered output": (replace_an_output, "output 'set1/0001.png' has other bytes than its entry says"),
    "swapped outputs": (swap_two_outputs, "output 'set1/0004.png' has other bytes than its entry says"),
    "rewritten output": (write_an_output_again, "output 'set1/0001.png' has another ETag than its entry says"),
    "extra output": (leave_an_unrecorded_output, "output 'set1/7777.png' is there, but no ledger records it"),
    "wrong pixels": (record_another_picture, r"'set0/0000.png' ended as .* without faults as "),
    "item missing": (
        edit("ledger/000000.jsonl", lambda lines: lines.pop(0)),
        r"is finished, but 'set0/0000.png' has no entry in its ledger",
    ),
    "item never ended": (
        edit("ledger/000000.jsonl", lambda lines: lines.pop(0)), r"'set0/0000.png' has no terminal state",
    ),
    "segment missing": (drop("ledger/000000.jsonl"), r"'set0/0000.png' has no terminal state"),
    "item twice in a segment": (
        edit("ledger/000000.jsonl", lambda lines: lines.append(lines[0])), r"'set0/0000.png' was recorded twice",
    ),
    "item in two segments": (record_it_in_two_segments, r"ledger/000001.jsonl records 'set0/0000.png', which its unit"),
    "item in two runs": (record_it_in_both_runs, r"'set0/0000.png' came to its end 2 times"),
    "stopped and whole unit differ": (contradict_a_stopped_unit, r"'set0/0000.png' was recorded twice"),
    "planned twice": (
        edit("units/000000.jsonl", lambda units: units[1]["items"].append(units[0]["items"][0])), "was planned twice",
    ),
    "entry without a plan": (
        edit("ledger/000000.jsonl", lambda lines: lines.append(lines[0] | {"key": "x.png"})),
        r"ledger/000000.jsonl records 'x.png', which its unit does not hold",
    ),
    "never listed": (
        edit("ledger/000000.jsonl", lambda lines: lines.append(lines[0] | {"key": "x.png"})),
        r"'x.png' has a terminal state, but was never listed",
    ),
    "unknown outcome": (
        edit("ledger/000000.jsonl", lambda lines: lines[0].update(outcome="perhaps")), "ended as 'perhaps'",
    ),
    "failed for no reason": (
        edit("ledger/000000.jsonl", lambda lines: lines[0].update(outcome="failed", code="input.poison")),
        r"'set0/0000.png' ended as Expected\(outcome='failed', code='input.poison'",
    ),
    "still to be tried": (
        edit("ledger/000000.jsonl", lambda lines: lines[0].update(outcome="failed", code="store.unavailable")),
        r"'set0/0000.png' has no terminal state",
    ),
    "wrong ETag": (
        edit("ledger/000000.jsonl", lambda lines: lines[0].update(source_etag="0")), "an ETag that it does not have",
    ),
    "count of ok": (
        edit("summary.json", lambda v: v.update(ok=v["ok"] + 1)), "the summary says 6 ok, the ledger 5",
    ),
    "count of planned": (edit("summary.json", lambda v: v.update(planned=99)), "the summary says 99 planned"),
    "counts by code": (
        edit("summary.json", lambda v: v.update(codes={}), run=1), r"the summary says {} by code, the ledger {'input.",
    ),
    "count of units": (edit("plan.json", lambda v: v.update(units=9)), "the plan says 9 units, 2 are there"),
    "count to do": (edit("plan.json", lambda v: v["considered"].update(to_do=9)), "the plan says 9 to do, its units 5"),
    "units missing": (drop("units/000000.jsonl"), "the plan says 2 units, 0 are there"),
    "plan missing": (drop("plan.json"), "has records of work, but no plan"),
    "report missing": (drop("report.html"), "its report is missing or cut off"),
    "report cut": (cut("report.html"), "its report is missing or cut off"),
    "plan cut": (cut("plan.json"), "plan.json is half-written"),
    "ledger cut": (cut("ledger/000000.jsonl"), "ledger/000000.jsonl is half-written"),
    "strange record": (leave_a_strange_record, "'ledger/000000.jsonl.tmp' is no record that we know"),
    "lease kept": (keep_the_lease, "the lease was not given back"),
    "lease cut": (cut_the_lease, "the lease is half-written"),
}


def test_a_sound_run_passes(sound):
    source, output, reference = sound
    assert len(reference) == IMAGES + 1
    assert reference[BROKEN].code == "input.truncated"
    assert invariants.check(source, source, output, reference) == []
    assert invariants.check(source, source, output) == []


@pytest.mark.parametrize(("breaks", "words"), WAYS.values(), ids=WAYS)
def test_a_broken_run_is_found(sound, breaks, words):
    source, output, reference = sound
    broken = dict(output)
    breaks(broken)
    found = invariants.check(source, source, broken, reference)
    assert [each for each in found if re.search(words, each)], found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"set0/0000.png": Found(b"1", "1")}, "the source has another 'set0/0000.png'"),
        ({"set0/new.png": Found(b"1", "1")}, "the source got 'set0/new.png'"),
        ({"set0/0000.png": None}, "the source lost 'set0/0000.png'"),
    ],
)
def test_a_source_that_changed_is_found(sound, change, words):
    source, output, reference = sound
    after = {key: found for key, found in {**source, **change}.items() if found is not None}
    assert invariants.check(source, after, output, reference) == [words]


def test_a_stopped_unit_that_went_on_counts_once(sound):
    source, output, reference = sound
    key = record(output, "ledger/000000.jsonl")
    part = Found(output[key].data.splitlines(keepends=True)[0], "x")
    assert invariants.check(source, source, {**output, key.replace(".jsonl", ".stopped.jsonl"): part}, reference) == []


def test_a_run_that_did_not_end_may_lack_entries_but_not_lose_images(sound):
    source, output, reference = sound
    ended = dict(output)
    for name in ("summary.json", "report.html"):
        del ended[record(ended, name)]
    assert invariants.check(source, source, ended, reference) == []
    del ended[record(ended, "ledger/000001.jsonl")]
    found = invariants.check(source, source, ended, reference)
    assert len(found) == 2
    assert "has no terminal state" in found[0]
    assert "no ledger records it" in found[1]


def test_running_again_must_do_nothing(sound):
    _, output, _ = sound
    said = "nothing to do: 13 up to date\n"
    assert invariants.does_nothing(output, {**output, "_translate/probe": Found(b"", "x")}, 0, said) == []
    assert invariants.does_nothing(output, output, 4, said) == ["running again: exit 4 instead of 0"]
    (words,) = invariants.does_nothing(output, output, 0, "ok 3\n")
    assert words == "running again: it says 'ok 3' instead of 'nothing to do'"
    (words,) = invariants.does_nothing(output, {**output, "new": Found(b"", "x")}, 0, said)
    assert words == "running again: the output got 'new'"
