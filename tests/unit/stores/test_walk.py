"""Key order from folders in any order, against sorting everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from translate.stores._walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENTS = st.text(alphabet="a!.0é\U0001f600\uffee", min_size=1, max_size=3)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@given(st.sets(KEYS, max_size=30), st.text(alphabet="a!./é", max_size=4), st.text(alphabet="a!./é", max_size=4))
def test_any_tree_is_listed_as_if_all_of_it_were_sorted(keys: set[str], prefix: str, start_after: str) -> None:
    def children(folder: str) -> Iterator[tuple[str, str | None]]:
        below = {key[len(folder) :] for key in keys if key.startswith(folder)}
        for name in {name.partition("/")[0] + "/" for name in below if "/" in name}:
            yield folder + name, None
        for name in (name for name in below if "/" not in name):
            yield folder + name, folder + name

    expected = sorted((key for key in keys if key.startswith(prefix) and key > start_after), key=str.encode)
    assert list(walk(children, prefix, start_after)) == expected


def test_folders_that_cannot_matter_are_not_looked_into() -> None:
    asked = []
    tree = {"": ["a/", "b/", "c/"], "b/": ["b/x", "b/y"], "c/": ["c/x"]}

    def children(folder: str) -> Iterator[tuple[str, str | None]]:
        asked.append(folder)
        for key in tree[folder]:
            yield key, None if key.endswith("/") else key

    assert list(walk(children, "", "b/x")) == ["b/y", "c/x"]
    assert asked == ["", "b/", "c/"]
    asked.clear()
    assert list(walk(children, "b/", "")) == ["b/x", "b/y"]
    assert asked == ["b/"]
