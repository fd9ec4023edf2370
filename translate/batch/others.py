"""What lies in an input beside images: nothing is done about it, but it is said, because it may be meant as some."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from translate.images.codec import extension

NAMES = 5
"""Keys that are named."""
KINDS = 100
"""Extensions that are counted one by one: a million numbered files may have a million of them."""


@dataclass
class Others:
    """Keys that are not named like an image, counted in bounded memory."""

    extensions: Counter[str] = field(default_factory=Counter)
    """By extension with its dot, lower case; ``""`` without one, ``"..."`` for those beyond `KINDS`."""
    names: list[str] = field(default_factory=list)
    """The first of them."""

    def note(self, key: str) -> None:
        """Count one."""
        kind = extension(key)
        known = kind in self.extensions or len(self.extensions) < KINDS
        self.extensions[kind if known else "..."] += 1
        if len(self.names) < NAMES:
            self.names.append(key)

    @property
    def words(self) -> str:
        """``12 .txt, 3 .mp4, 1 without extension``; the most first."""
        special = {"": "without extension", "...": "of other extensions"}
        return ", ".join(f"{count:,} {special.get(kind, kind)}" for kind, count in self.extensions.most_common())
