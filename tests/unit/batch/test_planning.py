"""What there is to do, for every past and every --overwrite."""

from __future__ import annotations

import pytest

from translate.batch.notebook import Notebook, Past
from translate.batch.planning import Selection, decide, make_plan, parse_keys
from translate.errors import UsageError, WorkDigestError
from translate.provenance import Work
from translate.records.ledger import Entry
from translate.records.manifest import Item
from translate.stores import open_store
from translate.stores.contract import ObjectInfo

WORK = Work(
    model="a@1",
    model_digest="sha256:" + "1" * 64,
    size="native",
    format="keep",
    quality=92,
    pixels="exact",
    engine="torch-float32",
)
OTHER = WORK.model_copy(update={"model": "b@2", "model_digest": "sha256:" + "2" * 64, "size": 320})
ITEM = Item("x.png", "e1", 10, "x.png", "png")


def past(outcome="ok", code="", etag="e1", work=WORK):
    return Past(etag, "x.png", "o", outcome, code, work.digest)


@pytest.mark.parametrize(
    ("known", "there", "overwrite", "verdict"),
    [
        (None, False, "changed", "to_do"),
        (None, True, "changed", "to_do"),  # from a run that was killed before it could record it
        (None, True, "never", "kept"),
        (past(), True, "changed", "up_to_date"),
        (past(), False, "changed", "to_do"),
        (past(), True, "always", "to_do"),
        (past(etag="e0"), True, "changed", "to_do"),
        (past(etag="e0"), True, "never", "kept"),
        (past(work=OTHER), True, "changed", "other_work"),
        (past(work=OTHER, etag="e0"), True, "changed", "other_work"),
        (past(work=OTHER), False, "changed", "to_do"),
        (past(work=OTHER), True, "stale", "to_do"),
        (past(), True, "stale", "up_to_date"),
        (past("failed", "input.truncated"), False, "changed", "failed_before"),
        (past("failed", "input.truncated", etag="e0"), False, "changed", "to_do"),
        (past("failed", "input.truncated", work=OTHER), False, "changed", "to_do"),
        (past("failed", "input.truncated"), False, "never", "to_do"),
        (past("failed", "input.changed"), False, "changed", "to_do"),
        (past("failed", "store.integrity"), False, "changed", "to_do"),
        (past("failed", "store.access"), False, "changed", "to_do"),
    ],
)
def test_verdicts(known, there, overwrite, verdict):
    assert decide(ITEM, known, lambda key: "o" if there and key == "x.png" else None, overwrite, WORK.digest) == verdict


def filled(name: str, *keys: str):
    store = open_store(f"memory://planning-{name}")
    for key in keys:
        store.put(key, b"1")
    return store


def test_counts_add_up_to_the_listing():
    keys = ["a.png", "b.JPG", "sub/c.webp", "notes.txt", "no-extension", "old/d.png", "_translate/runs/x/e.png"]
    plan = make_plan(filled("counts", *keys), Notebook(), WORK, "changed", Selection(exclude=("old/*",), limit=2))
    considered = plan.considered
    assert [item.key for item in plan.items()] == ["a.png", "b.JPG"]
    assert (considered.to_do, considered.beyond_limit, considered.not_selected, considered.not_image) == (2, 1, 1, 3)
    assert considered.bytes == 2
    counted = considered.model_dump(exclude={"bytes"})
    assert sum(counted.values()) == len(keys)
    assert plan.others.names == ["no-extension", "notes.txt"], "the records of runs are nobody's business"
    assert plan.others.words == "1 without extension, 1 .txt"


def test_include_takes_only_what_matches():
    plan = make_plan(
        filled("include", "a/1.png", "b/1.png", "b/2.jpg"),
        Notebook(),
        WORK,
        "changed",
        Selection(include=("b/*", "nothing"), exclude=("*.jpg",)),
    )
    assert [item.key for item in plan.items()] == ["b/1.png"]


def test_named_keys_are_taken_without_a_listing_and_missing_ones_stay_in_the_plan():
    plan = make_plan(
        filled("keys", "a.png", "b.png", "c.png"),
        Notebook(),
        WORK,
        "changed",
        Selection(keys=("c.png", "gone.png", "a.png", "c.png")),
    )
    assert [(item.key, bool(item.etag)) for item in plan.items()] == [
        ("a.png", True),
        ("c.png", True),
        ("gone.png", False),
    ]


def test_keys_are_lines_or_json_strings():
    assert parse_keys('a b.png\r\n"new\\nline.png"\n\n# not a comment.png\n') == (
        "a b.png",
        "new\nline.png",
        "# not a comment.png",
    )
    with pytest.raises(UsageError, match="line 2"):
        parse_keys('a.png\n"open.png\n')


def test_two_sources_of_one_output_are_refused_by_name():
    store = filled("collide", "d/a.gif", "d/a.png")
    with pytest.raises(UsageError, match=r"'d/a.gif' and 'd/a.png' -> 'd/a.png'.* with --exclude$"):
        make_plan(store, Notebook(), WORK, "changed", Selection())
    png = WORK.model_copy(update={"format": "png"})
    with pytest.raises(UsageError, match=r"or use --format keep$"):
        make_plan(store, Notebook(), png, "changed", Selection())


def test_other_work_is_refused_with_the_difference():
    store = filled("other", "x.png", "y.png")
    notebook = Notebook()
    notebook.note_past([Entry("x.png", "x.png", "e", "ok")], OTHER, OTHER.digest)
    notebook.note_outputs([ObjectInfo("x.png", 1, "o")])
    with pytest.raises(WorkDigestError, match=r"1 outputs .*model: b@2 -> a@1; size: 320 -> native.*'x.png'.*stale"):
        make_plan(store, notebook, WORK, "changed", Selection())
    notebook = Notebook()
    notebook.note_past([Entry("x.png", "x.png", "e", "ok")], OTHER, OTHER.digest)
    notebook.note_outputs([ObjectInfo("x.png", 1, "o")])
    assert make_plan(store, notebook, WORK, "stale", Selection()).count == 2


def test_a_model_of_the_same_name_is_told_by_its_digest():
    twin = WORK.model_copy(update={"model_digest": "sha256:" + "3" * 64})
    assert WORK.differences(twin) == ["model: a@1 (111111111111) -> a@1 (333333333333)"]
    assert WORK.differences(WORK) == []
    assert WORK.model_copy(update={"model": "other/path"}).digest == WORK.digest


def test_a_long_listing_is_reported():
    source = open_store("memory://long-listing")
    for i in range(2500):
        source.put(f"{i}.png", b"")
    heard = []
    plan = make_plan(source, Notebook(), WORK, "changed", Selection(), heard.append)
    assert plan.count == len(list(plan.items())) == 2500
    assert [(state.done, state.total, state.unit) for state in heard] == [(1000, None, "keys"), (2000, None, "keys")]
