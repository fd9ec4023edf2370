"""The planner that streams decides as one would who holds everything in memory, on listings and pasts of any kind."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from translate.batch.conflicts import Collisions
from translate.batch.notebook import Notebook, Past
from translate.batch.planning import Selection, decide, make_plan
from translate.errors import UsageError, WorkDigestError
from translate.images.codec import has_image_extension
from translate.provenance import Work
from translate.records.ledger import Entry
from translate.records.manifest import Item, target
from translate.stores.contract import ObjectInfo

WORKS = [
    Work(model=f"a@{number}", model_digest=f"sha256:{number}", size="native", format="keep", quality=92,
         pixels="exact", engine="torch-float32")
    for number in range(2)
]
# Few keys, so that listing, past and outputs meet: stems that begin alike, what sorts between them, broken Unicode.
STEMS = ("a", "a.b", "a.png", "a-", "a/b", "a0", "\udcff")
POOL = [stem + ending for stem in STEMS for ending in (".png", ".png", ".JPG", ".gif")]
keys = st.sampled_from([*POOL, "a.txt", "a/.png", "a.png/"])
etags = st.sampled_from(["e1", "e1", "e0"])
outcomes = st.sampled_from([("ok", "")] * 2 + [("failed", "input.empty"), ("failed", "store.access"), ("skipped", "x")])
pasts = st.lists(st.tuples(keys, etags, outcomes, st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1])), min_size=3, max_size=20)


class Listing:
    """An input with these keys and ETags."""

    url = "memory://naive"

    def __init__(self, listed: dict[str, str]) -> None:
        self._listed = listed

    def list(self, prefix: str = "", *, start_after: str = ""):
        assert prefix == start_after == ""
        return (ObjectInfo(key, len(key), self._listed[key]) for key in sorted(self._listed))


def naive(listed, history, outputs, work, overwrite, selection):
    """(items, counts) with everything in memory, or the kind of the error."""
    past = {}
    for entry, digest in history:
        if entry.outcome != "skipped":
            past[entry.key] = Past(
                entry.source_etag, entry.output_key, entry.output_etag, entry.outcome, entry.code, digest
            )
    items, taken, counts, others, collides = [], {}, {}, 0, 0
    for key in sorted(listed):
        if not has_image_extension(key):
            verdict = "not_image"
        elif not selection.matches(key):
            verdict = "not_selected"
        else:
            item = Item(key, listed[key], len(key), *target(key, work.format))
            collides += taken.setdefault(item.output_key, key) != key
            verdict = decide(item, past.get(key), lambda key: "o" if key in outputs else None, overwrite, work.digest)
            others += verdict == "other_work"
            if verdict == "to_do":
                if selection.limit is not None and len(items) >= selection.limit:
                    verdict = "beyond_limit"
                else:
                    items.append(item)
        counts[verdict] = counts.get(verdict, 0) + 1
    if collides or others:
        return ("collisions", collides) if collides else ("other work", others)
    return items, {**counts, "bytes": sum(item.size_bytes for item in items)}


def streamed(listed, history, outputs, work, overwrite, selection):
    notebook = Notebook()
    for entry, digest in history:
        notebook.note_past([entry], work if digest == work.digest else WORKS[1], digest)
    notebook.note_outputs(ObjectInfo(key, 1, "o") for key in sorted(outputs))
    try:
        plan = make_plan(Listing(listed), notebook, work, overwrite, selection)
    except WorkDigestError as error:
        return "other work", int(str(error).split()[0])
    except UsageError as error:
        more = re.search(r" and (\d+) more\. Rename", str(error))
        return "collisions", int(more[1]) + 3 if more else str(error).count(" -> ")
    return list(plan.items()), {name: count for name, count in plan.considered.model_dump().items()
                                if count or name == "bytes"}


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(keys, etags, min_size=2, max_size=8), pasts, st.sets(keys, max_size=3), st.sets(keys, max_size=3),
    st.sampled_from(["keep", "keep", "png"]), st.sampled_from(["changed"] * 3 + ["stale", "never", "always"]),
    st.sampled_from([None, 0, 1, 3]), st.sampled_from([(), ("a0*",), ("*.gif",), ("*.gif", "*.JPG")]),
)
def test_streaming_decides_as_everything_in_memory_would(listed, past, more, gone, kind, overwrite, limit, exclude):
    work = WORKS[0].model_copy(update={"format": kind})
    works = [work, WORKS[1]]

    def output_of(key: str) -> str:
        return target(key, kind)[0] if has_image_extension(key) else key

    history = [
        (Entry(key, output_of(key), etag, outcome, code), works[number].digest)
        for key, etag, (outcome, code), number in past
    ]
    outputs = {entry.output_key for entry, _ in history} - gone | more
    selection = Selection(exclude=exclude, limit=limit)
    arguments = listed, history, outputs, work, overwrite, selection
    assert streamed(*arguments) == naive(*arguments)


@given(st.sets(keys, max_size=40))
def test_collisions_are_found_as_keys_pass(listed):
    listed = sorted(key for key in listed if has_image_extension(key))
    items = [Item(key, "e", 1, *target(key, "png")) for key in listed]
    collisions = Collisions()
    for item in items:
        collisions.look(item)
    try:
        collisions.refuse(WORKS[0])
    except UsageError:
        assert len({item.output_key for item in items}) < len(items)
    else:
        assert len({item.output_key for item in items}) == len(items)
