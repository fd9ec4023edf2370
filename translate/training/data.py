"""Training images: from any store into batches, a function of (seed, images seen) and nothing else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import default_collate

from translate.datasets.folder import image_keys, read_pixels
from translate.errors import DataError
from translate.images import tensors
from translate.images.augment import Augment
from translate.images.resize import resize, short_side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from translate.config import Data
    from translate.stores.contract import ObjectStore

CACHE_BYTES = 2 * 1024**3
AHEAD = 4
"""Batches prepared while the network works."""


class TrainingData:
    """Batches of a training set.

    The i-th image ever drawn of a domain is the same whatever the batch size, and its crop, flip and colours follow
    from (seed, i): a resumed training sees what the uninterrupted one would have.
    """

    def __init__(self, store: ObjectStore, config: Data, *, seed: int) -> None:
        """List the folders; raises `DataError` if one is empty or pairs have missing halves."""
        self._images = _Images(store)
        self._config = config
        self._seed = seed
        self._a, self._b = image_keys(store, config.a), image_keys(store, config.b)
        self._names = {"a": list(self._a), "b": list(self._b)}
        self._augment = Augment(config.short_side_px, config.crop_px, flip=config.flip, jitter=config.jitter)
        if config.kind == "paired":
            _check_halves(self._a, self._b, config)
        self._answers = {side: image_keys(store, folder) if folder else {}
                         for side, folder in (("a", config.answers_a), ("b", config.answers_b))}
        for side, folder in (("a", config.answers_a), ("b", config.answers_b)):
            _check_answers(self._answers[side], self._a if side == "a" else self._b, folder)
        self._test_a = image_keys(store, config.test_a) if config.test_a else {}
        self._test_b = image_keys(store, config.test_b) if config.test_b else {}

    def describe(self) -> str:
        """Counts, for the status line."""
        answers = len(self._answers["a"]) + len(self._answers["b"])
        return f"{len(self._a)} images of a, {len(self._b)} of b" + (f", {answers} answers" if answers else "")

    def batches(self, seen: int, batch: int) -> Iterator[dict[str, Tensor]]:
        """Endless batches from the ``seen``-th image on, prepared ahead in threads."""
        with ThreadPoolExecutor(2, thread_name_prefix="data") as pool:
            waiting = [pool.submit(self.batch, seen + i * batch, batch) for i in range(AHEAD)]
            while True:
                ready = waiting.pop(0)
                seen += batch
                waiting.append(pool.submit(self.batch, seen + (AHEAD - 1) * batch, batch))
                yield ready.result()

    def batch(self, start: int, count: int) -> dict[str, Tensor]:
        """Images ``start`` to ``start + count``: (N, C, crop, crop) float32 in [-1, 1] by name."""
        item = self._pair if self._config.kind == "paired" else self._two
        collated: dict[str, Tensor] = default_collate([item(start + i) for i in range(count)])
        return collated

    def samples(self, count: int) -> dict[str, list[Tensor]]:
        """Up to ``count`` whole test images of each domain, as small as training shows them; (C, H, W) each.

        Training images where the pipeline names no test images.
        """
        side = self._config.short_side_px[0]
        return {domain: [self._whole(key, side, channels) for key in _spread(list(test or train), train | test, count)]
                for domain, test, train, channels in (("a", self._test_a, self._a, self._config.channels_a),
                                                      ("b", self._test_b, self._b, self._config.channels_b))}

    def _whole(self, key: str, side: int, channels: int) -> Tensor:
        pixels = self._images.get(key)
        pixels = resize(pixels, *short_side(pixels.shape[0], pixels.shape[1], side))
        return tensors.to_channels(tensors.to_tensor(pixels), channels)

    def _pair(self, index: int) -> dict[str, Tensor]:
        name = self._drawn(self._names["a"], index, 0)
        image, target = self._cut(self._images.get(self._a[name]), self._images.get(self._b[name]), index, 0)
        assert target is not None
        return {"a": tensors.to_channels(image, self._config.channels_a),
                "b": tensors.to_channels(target, self._config.channels_b)}

    def _two(self, index: int) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        for stream, side, keys in ((0, "a", self._a), (1, "b", self._b)):
            name = self._drawn(self._names[side], index, stream)
            answers = self._answers[side]
            answer = self._images.get(answers[name]) if name in answers else None
            image, target = self._cut(self._images.get(keys[name]), answer, index, stream)
            out[side] = tensors.to_channels(image, getattr(self._config, f"channels_{side}"))
            if answers:
                out[f"known_{side}"] = torch.tensor(float(target is not None))
                out[f"answer_{side}"] = torch.zeros_like(image) if target is None else target
        return out

    def _drawn(self, names: list[str], index: int, stream: int) -> str:
        """Each pass over the images is a permutation of its own."""
        lap, place = divmod(index, len(names))
        return names[int(_permutation(self._seed, stream, lap, len(names))[place])]

    def _cut(
        self, image: NDArray[np.uint8], target: NDArray[np.uint8] | None, index: int, stream: int
    ) -> tuple[Tensor, Tensor | None]:
        seed = int(np.random.default_rng((self._seed, 2 + stream, index)).integers(2**31))
        cut, other = self._augment(image, target, seed)
        return tensors.to_tensor(cut), None if other is None else tensors.to_tensor(other)


class _Images:
    """Decoded images by key, the least recently used dropped first."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB; raises `DataError` naming the file that can't be read."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = read_pixels(self._store, key)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = pixels
                self._bytes += pixels.nbytes
            while self._bytes > CACHE_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return pixels


@lru_cache(maxsize=8)
def _permutation(seed: int, stream: int, lap: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, stream, lap)).permutation(count)


def _check_halves(a: dict[str, str], b: dict[str, str], config: Data) -> None:
    lonely = sorted(a.keys() ^ b.keys())
    if lonely:
        raise DataError(f"{len(lonely)} images of {config.a} and {config.b} have no partner of the same name: "
                        f"{', '.join(lonely[:5])}; pairs need the same names in both folders")


def _check_answers(answers: dict[str, str], images: dict[str, str], folder: str | None) -> None:
    lonely = sorted(answers.keys() - images.keys())
    if lonely:
        raise DataError(f"{len(lonely)} answers in {folder} belong to no image: {', '.join(lonely[:5])}; "
                        "an answer has the name of the image that it answers")


def _spread(names: list[str], keys: dict[str, str], count: int) -> list[str]:
    picked = np.linspace(0, len(names) - 1, min(count, len(names))).round().astype(int)
    return [keys[names[int(i)]] for i in picked]
