"""Listing a tree of folders in the order of keys, for stores that only list one folder at a time."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


def walk(children: Callable[[str], Iterable[tuple[str, T | None]]], prefix: str, start_after: str) -> Iterator[T]:
    """Yield the objects whose key starts with ``prefix`` and comes after ``start_after``, in key order.

    ``children(folder)`` names what is in one folder ("" is the root, others end in "/"), in any order: keys
    of objects with what to yield for them, and keys of folders, ending in "/", with None. One folder per
    level is held. Python orders strings by code point, which is the order of their UTF-8 bytes; "a/b" sorts
    behind "a.jpg" though "a" sorts before it, so folders are sorted with their slash.
    """
    waiting: list[tuple[str, T | None]] = [(prefix[: prefix.rfind("/") + 1], None)]  # the last one is next
    while waiting:
        key, found = waiting.pop()
        if found is not None:
            yield found
            continue
        wanted = [child for child in children(key) if _matters(child, prefix, start_after)]
        waiting.extend(sorted(wanted, key=itemgetter(0), reverse=True))


def _matters(child: tuple[str, object | None], prefix: str, start_after: str) -> bool:
    key, found = child
    if found is not None:
        return key.startswith(prefix) and key > start_after
    may_hold_prefix = key.startswith(prefix) or prefix.startswith(key)
    return may_hold_prefix and (key > start_after or start_after.startswith(key))
