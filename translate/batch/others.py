"""What lies in an input beside images. The user is told what there is: it may be images by another name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from translate.images.codec import extension

NAMES = 5
"""How many keys are named."""
KINDS = 100
"""How many extensions are counted one by one: a million numbered files may have a million of them."""


@dataclass
class Others:
    """Keys that are not named like an image, counted in bounded memory."""

    extensions: Counter[str] = field(default_factory=Counter)
    """Number of keys by extension, with its dot, lower case; ``""`` without one, ``"..."`` for those beyond `KINDS`."""
    names: list[str] = field(default_factory=list)
    """The first keys."""

    def note(self, key: str) -> None:
        """Count a key."""
        kind = extension(key)
        known = kind in self.extensions or len(self.extensions) < KINDS
        self.extensions[kind if known else "..."] += 1
        if len(self.names) < NAMES:
            self.names.append(key)

    @property
    def words(self) -> str:
        """In words, most frequent first: ``12 .txt, 3 .mp4, 1 without extension``."""
        special = {"": "without extension", "...": "of other extensions"}
        return ", ".join(f"{count:,} {special.get(kind, kind)}" for kind, count in self.extensions.most_common())
