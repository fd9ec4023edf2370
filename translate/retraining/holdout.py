"""Which images are held out: the same ones from version to version, so that models can be compared.

A keyed hash of an image's name decides by itself (BLAKE2b, RFC 7693): which other images there are changes nothing, so
new images are split by the same rule and old ones never change sides. The name is the part of the key inside its
folder, without extension: both halves of a pair, and an image and its answer, stand on one side.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translate.config import Holdout

_BITS = 64


def is_held_out(name: str, config: Holdout) -> bool:
    """Whether images of this name are held out; true for about ``config.share`` of all names."""
    hashed = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_BITS // 8, key=config.key.encode())
    place: float = int.from_bytes(hashed.digest(), "big") / 2**_BITS
    return place < config.share
