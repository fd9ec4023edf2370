"""From good files to bad ones, by a seeded generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

_NUMBERS = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2**(8 * size) - 1, 2**(8 * size - 1), 2**(8 * size - 1) - 1, 2**(4 * size))
    for order in ("little", "big")
)
"""Where counts and offsets overflow."""
MOST_BYTES = 256 * 1024


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the files with one to eight things wrong with it; now and then none."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
        _harm(rng, data, seeds)
    return bytes(data[:MOST_BYTES])


def _harm(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(min(len(data), 200) if rng.random() < 0.5 else len(data)) if data else 0
    kind = rng.randrange(9)
    if kind <= 1 and data:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 2 and data:
        data[at] = rng.randrange(256)
    elif kind <= 4:
        number = rng.choice(_NUMBERS)
        data[at : at + len(number)] = number
    elif kind == 5:
        del data[at : at + rng.choice((1, 2, 4, 16, 256, len(data)))]
    elif kind == 6:
        piece = bytes(data[at : at + rng.choice((1, 4, 12, 64, 1024))])
        data[at:at] = piece * rng.choice((1, 2, 30))
    elif kind == 7:
        other = rng.choice(seeds)
        start = rng.randrange(len(other))
        data[at : at + rng.choice((0, 8, 64))] = other[start : start + rng.choice((8, 64, 1024))]
    else:
        data[at:at] = rng.randbytes(rng.choice((1, 4, 100)))
