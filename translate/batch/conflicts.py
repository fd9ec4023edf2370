"""What keeps a plan from being carried out: places, keys and works that collide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import UsageError, WorkDigestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from translate.batch.notebook import Notebook, Past
    from translate.provenance import Work
    from translate.records.manifest import Item
    from translate.stores.contract import ObjectStore

_EXAMPLES = 3
"""How many culprits an error names."""


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


class Collisions:
    """Finds sources that map to the same output, while they pass in key order.

    They differ in the extension alone, so they all begin with the same stem and a dot; and keys that begin alike stand
    together. Held are the stems that the last key begins with.
    """

    def __init__(self) -> None:
        self._open: list[tuple[str, dict[str, str]]] = []
        self._found: list[str] = []
        self._count = 0

    def look(self, item: Item) -> None:
        """Take the next source."""
        while self._open and not item.key.startswith(self._open[-1][0]):
            self._open.pop()
        stem = item.output_key[: item.output_key.rindex(".") + 1]
        if not self._open or self._open[-1][0] != stem:
            self._open.append((stem, {}))
        first = self._open[-1][1].setdefault(item.output_key, item.key)
        if first != item.key:
            self._count += 1
            if len(self._found) < _EXAMPLES:
                self._found.append(f"{first!r} and {item.key!r} -> {item.output_key!r}")

    def refuse(self, work: Work) -> None:
        """Raise `UsageError` if sources collide."""
        if not self._count:
            return
        keep = "" if work.format == "keep" else ", or use --format keep"
        more = f" and {self._count - _EXAMPLES} more" if self._count > _EXAMPLES else ""
        raise UsageError(
            f"several sources map to one output: {'; '.join(self._found)}{more}. Rename one of each, or leave one out "
            f"with --exclude{keep}"
        )


class OtherWork:
    """Counts outputs that were made by other work."""

    def __init__(self) -> None:
        self._count = 0
        self._first: Past | None = None

    def note(self, past: Past) -> None:
        """Count an output of other work."""
        self._count += 1
        self._first = self._first or past

    def refuse(self, notebook: Notebook, work: Work) -> None:
        """Raise `WorkDigestError` if there are such outputs; it names what differs in the first one."""
        if self._first is None:
            return
        differences = "; ".join(notebook.works[self._first.work_digest].differences(work))
        raise WorkDigestError(
            f"{self._count} outputs that are there were made by other work ({differences}), for example "
            f"{self._first.output_key!r}. Choose another --output, or say --overwrite stale to make them anew, "
            "or --overwrite never to keep them and fill the gaps"
        )
