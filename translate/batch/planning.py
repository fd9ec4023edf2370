"""What a run has to do: the listing of the input is compared with what earlier runs did, key by key.

No request per object (but for ``--keys``): one listing of each side and the ledgers. Nothing that grows with the
number of keys is held in memory (but ``--keys`` themselves): see `translate.batch.notebook`.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from translate.batch.conflicts import Collisions, OtherWork
from translate.batch.others import Others
from translate.errors import NotFoundError, UsageError
from translate.images.codec import has_image_extension
from translate.progress import Progress, silent
from translate.provenance import Considered
from translate.records.layout import RESERVED
from translate.records.manifest import Item, target
from translate.stores.contract import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from translate.batch.notebook import Notebook, Past
    from translate.progress import Listener
    from translate.provenance import Work
    from translate.stores.contract import ObjectStore

Overwrite = Literal["changed", "stale", "never", "always"]
Verdict = Literal["to_do", "up_to_date", "failed_before", "kept", "other_work"]

HEADS_AT_ONCE = 16
"""How many keys of ``--keys`` are looked up at the same time."""
REPORT_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which keys of the input count. Patterns are shell globs over the whole key; ``*`` also matches
    ``/``."""

    include: tuple[str, ...] = ()
    """Patterns of keys that count; empty: all keys."""
    exclude: tuple[str, ...] = ()
    """Patterns of keys that do not count."""
    keys: tuple[str, ...] | None = None
    """Exactly these keys, instead of a listing."""
    limit: int | None = None
    """At most this many images in one run; the next run takes the following ones."""
    sample: int | None = None
    """Only so many images, evenly spread over all that are to do."""

    def matches(self, key: str) -> bool:
        """Whether the patterns let a key through."""
        included = not self.include or any(fnmatchcase(key, pattern) for pattern in self.include)
        return included and not any(fnmatchcase(key, pattern) for pattern in self.exclude)


@dataclass(frozen=True, slots=True)
class Plan:
    """The items to do, and the count of everything that was looked at."""

    items: Callable[[], Iterator[Item]]
    """Goes through the items from the first, in key order; never all in memory."""
    considered: Considered
    others: Others = field(default_factory=Others)
    """What lies in the input beside images."""

    @property
    def count(self) -> int:
        """How many items there are."""
        return self.considered.to_do


def parse_keys(text: str) -> tuple[str, ...]:
    """Keys of a ``--keys`` file: one a line; a line that starts with a quote is a JSON string (for odd keys).

    Raises `UsageError` naming the line.
    """
    keys = []
    for number, line in enumerate(text.split("\n"), start=1):
        key: object = line.removesuffix("\r")
        if line.startswith('"'):
            try:
                key = json.loads(line)
            except json.JSONDecodeError as error:
                raise UsageError(f"line {number} of the keys is not a JSON string: {error}") from error
        if key:
            keys.append(str(key))
    return tuple(keys)


def make_plan(
    source: ObjectStore,
    notebook: Notebook,
    work: Work,
    overwrite: Overwrite,
    selection: Selection,
    listener: Listener = silent,
) -> Plan:
    """Decide on every listed key. The notebook holds the past and the keys that exist at the destination; the items to
    do are noted down in it.

    Raises `WorkDigestError` if outputs that are there were made by other work and ``overwrite`` is
    ``changed``; `UsageError` if two sources map to one output; `StoreError`.
    """
    work_digest = work.digest
    counts = dict.fromkeys(Considered.model_fields, 0)
    collisions, other_work, others = Collisions(), OtherWork(), Others()

    def to_do() -> Iterator[Item]:
        has_past = notebook.has_past()
        for info in counted(_listed(source, selection), "listing the input", listener):
            if info.key.startswith(RESERVED) or not has_image_extension(info.key):
                counts["not_image"] += 1
                if not info.key.startswith(RESERVED):
                    others.note(info.key)
                continue
            if not selection.matches(info.key):
                counts["not_selected"] += 1
                continue
            item = Item(info.key, info.etag, info.size_bytes, *target(info.key, work.format))
            collisions.look(item)
            past = notebook.past(item.key) if has_past else None
            verdict = decide(
                item, past, notebook.output_etag, overwrite, work_digest, compare_etags=notebook.has_unfinished
            )
            if verdict == "other_work":
                assert past is not None
                other_work.note(past)
            elif verdict == "to_do" and selection.limit is not None and counts["to_do"] >= selection.limit:
                counts["beyond_limit"] += 1
            else:
                counts[verdict] += 1
                if verdict == "to_do":
                    counts["bytes"] += item.size_bytes
                    yield item

    notebook.note_planned(to_do())
    collisions.refuse(work)
    other_work.refuse(notebook, work)
    if selection.sample is not None:
        found = counts["to_do"]
        counts["to_do"], counts["bytes"] = notebook.thin_out(selection.sample)
        counts["not_sampled"] = found - counts["to_do"]
    return Plan(notebook.planned, Considered(**counts), others)


def decide(
    item: Item,
    past: Past | None,
    output_etag: Callable[[str], str | None],
    overwrite: Overwrite,
    work_digest: str,
    *,
    compare_etags: bool = False,
) -> Verdict:
    """What is to be done about one source, given its latest outcome and the ETag of each output that exists.

    ``compare_etags``: an output that is not the recorded one is made again. Only where a run died, as what it wrote
    last it did not record; else outputs that were copied to another place, with other ETags, would all be made again.
    """
    if overwrite == "always":
        return "to_do"
    if overwrite == "never":
        return "to_do" if output_etag(item.output_key) is None else "kept"
    if past is None:
        return "to_do"
    same_work = past.work_digest == work_digest
    if past.outcome == "ok":
        there = output_etag(past.output_key)
        if there is None:
            return "to_do"
        if not same_work and overwrite == "changed":
            return "other_work"
        same = same_work and past.source_etag == item.etag and (there == past.output_etag or not compare_etags)
        return "up_to_date" if same else "to_do"
    return "failed_before" if same_work and past.source_etag == item.etag and _settled(past.code) else "to_do"


def _settled(code: str) -> bool:
    """Whether the same source would fail again: not if the store, or a change meanwhile, was the reason."""
    return code.startswith(("input.", "output.")) and code not in ("input.changed", "input.gone")


def counted(infos: Iterable[ObjectInfo], doing: str, listener: Listener) -> Iterator[ObjectInfo]:
    """The same listing; a long one is reported every `REPORT_KEYS` keys."""
    for count, info in enumerate(infos, start=1):
        if count % REPORT_KEYS == 0:
            listener(Progress(count, None, "keys", doing))
        yield info


def _listed(source: ObjectStore, selection: Selection) -> Iterator[ObjectInfo]:
    if selection.keys is None:
        yield from source.list()
        return
    keys = sorted(set(selection.keys), key=lambda key: key.encode("utf-8", "surrogatepass"))

    def head(key: str) -> ObjectInfo:
        try:
            return source.head(key)
        except NotFoundError:
            return ObjectInfo(key, 0, "")  # ends as input.gone, like one that vanished meanwhile

    with ThreadPoolExecutor(HEADS_AT_ONCE, "head") as threads:
        yield from threads.map(head, keys)
