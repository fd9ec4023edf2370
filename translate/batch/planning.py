"""What is there to do: the listing of the input against what earlier runs did, item by item.

No request per object (but for ``--keys``): one listing of each side and the ledgers. The plan is held in memory.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from translate.batch.layout import RESERVED
from translate.batch.manifest import Item, target
from translate.errors import NotFoundError, UsageError, WorkDigestError
from translate.images.codec import has_image_extension
from translate.progress import Progress, silent
from translate.provenance import Considered
from translate.stores.contract import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from translate.batch.history import History, Past
    from translate.progress import Listener
    from translate.provenance import Work
    from translate.stores.contract import ObjectStore

Overwrite = Literal["changed", "stale", "never", "always"]
Verdict = Literal["to_do", "up_to_date", "failed_before", "kept", "other_work"]

HEADS_AT_ONCE = 16
"""Requests at a time for keys that were asked for one by one."""
REPORT_KEYS = 1000
_EXAMPLES = 3
"""How many culprits an error names."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which keys of the input count. Patterns are shell globs over the whole key; ``*`` also matches
    ``/``."""

    include: tuple[str, ...] = ()
    """Only these; empty means all."""
    exclude: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    """Exactly these keys, instead of a listing."""
    limit: int | None = None
    """At most this many images in one run; the next run takes the following ones."""

    def matches(self, key: str) -> bool:
        """Whether the patterns let a key through."""
        included = not self.include or any(fnmatchcase(key, pattern) for pattern in self.include)
        return included and not any(fnmatchcase(key, pattern) for pattern in self.exclude)


@dataclass(frozen=True, slots=True)
class Plan:
    """The items to do, in key order, and the count of everything that was looked at."""

    items: list[Item]
    considered: Considered


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


def refuse_overlap(source: ObjectStore, output: ObjectStore) -> None:
    """Raise `UsageError` if outputs would lie among the inputs: the next run would translate them again."""
    if _root(output).startswith(_root(source)):
        place = "is the input" if _root(output) == _root(source) else f"lies inside the input {source.url}"
        raise UsageError(
            f"the output {output.url} {place}: outputs would be taken for inputs, or replace them. "
            "Choose an output beside the input"
        )


def refuse_replacing_sources(source: ObjectStore, output: ObjectStore, items: Iterable[Item]) -> None:
    """Raise `UsageError` if the input lies inside the output and an output would fall on a place of the
    input."""
    if not _root(source).startswith(_root(output)):
        return
    inner = _root(source)[len(_root(output)) :]
    for item in items:
        if item.output_key.startswith(inner):
            raise UsageError(
                f"the output of {item.key!r} would lie inside the input {source.url}. Choose an output beside the input"
            )


def _root(store: ObjectStore) -> str:
    return store.url.rstrip("/") + "/"


def make_plan(
    source: ObjectStore,
    outputs: set[str],
    history: History,
    work: Work,
    overwrite: Overwrite,
    selection: Selection,
    listener: Listener = silent,
) -> Plan:
    """Decide on every listed key. ``outputs`` are the keys that exist at the destination.

    Raises `WorkDigestError` if outputs that are there were made by other work and ``overwrite`` is
    ``changed``; `UsageError` if two sources map to one output.
    """
    counts = dict.fromkeys(Considered.model_fields, 0)
    items: list[Item] = []
    sources: dict[str, str] = {}
    collisions: list[str] = []
    others: dict[str, list[str]] = {}
    for info in counted(_listed(source, selection), "listing the input", listener):
        if info.key.startswith(RESERVED) or not has_image_extension(info.key):
            counts["not_image"] += 1
            continue
        if not selection.matches(info.key):
            counts["not_selected"] += 1
            continue
        item = Item(info.key, info.etag, info.size_bytes, *target(info.key, work.format))
        if (first := sources.setdefault(item.output_key, item.key)) != item.key:
            collisions.append(f"{first!r} and {item.key!r} -> {item.output_key!r}")
        past = history.items.get(item.key)
        verdict = decide(item, past, outputs, overwrite, work.digest)
        if verdict == "other_work":
            assert past is not None
            others.setdefault(past.work_digest, []).append(past.output_key)
        elif verdict == "to_do" and selection.limit is not None and len(items) >= selection.limit:
            counts["beyond_limit"] += 1
        else:
            counts[verdict] += 1
            if verdict == "to_do":
                items.append(item)
                counts["bytes"] += item.size_bytes
    _refuse_collisions(collisions, work)
    _refuse_other_work(others, history, work)
    return Plan(items, Considered(**counts))


def decide(item: Item, past: Past | None, outputs: set[str], overwrite: Overwrite, work_digest: str) -> Verdict:
    """What is to be done about one source, given its latest outcome and the outputs that exist."""
    if overwrite == "always":
        return "to_do"
    if overwrite == "never":
        return "kept" if item.output_key in outputs else "to_do"
    if past is None:
        return "to_do"
    same_work = past.work_digest == work_digest
    if past.outcome == "ok":
        if past.output_key not in outputs:
            return "to_do"
        if not same_work and overwrite == "changed":
            return "other_work"
        return "up_to_date" if same_work and past.source_etag == item.etag else "to_do"
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


def _refuse_collisions(collisions: list[str], work: Work) -> None:
    if collisions:
        keep = "" if work.format == "keep" else ", or use --format keep"
        raise UsageError(
            f"several sources map to one output: {_some(collisions)}. Rename one of each, or leave one out "
            f"with --exclude{keep}"
        )


def _refuse_other_work(others: dict[str, list[str]], history: History, work: Work) -> None:
    for work_digest, keys in others.items():
        differences = "; ".join(history.works[work_digest].differences(work))
        raise WorkDigestError(
            f"{sum(map(len, others.values()))} outputs that are there were made by other work "
            f"({differences}), for example {keys[0]!r}. Choose another --output, or say --overwrite stale "
            "to make them anew, or --overwrite never to keep them and fill the gaps"
        )


def _some(culprits: Iterable[str]) -> str:
    shown = list(culprits)
    more = f" and {len(shown) - _EXAMPLES} more" if len(shown) > _EXAMPLES else ""
    return "; ".join(shown[:_EXAMPLES]) + more
