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

from translate.datasets.folder import read_pixels
from translate.datasets.layout import digest_of_set, list_set, refuse
from translate.errors import DataError
from translate.images import tensors
from translate.images.augment import Augment
from translate.images.resize import resize, short_side

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from torch import Tensor

    from translate.config import Data
    from translate.datasets.layout import Images, Source
    from translate.stores.contract import ObjectStore

CACHE_BYTES = 2 * 1024**3
AHEAD = 4
"""Batches prepared while the network works."""


class TrainingData:
    """Batches of a training set.

    The i-th image ever drawn of a domain is the same whatever the batch size, and its crop, flip and colours follow
    from (seed, i): a resumed training sees what the uninterrupted one would have.
    """

    def __init__(self, store: ObjectStore, config: Data, *, seed: int, cache_bytes: int = CACHE_BYTES) -> None:
        """List the set; raises `DataError` if a folder is empty or pairs have missing halves.

        ``cache_bytes`` bounds the decoded images that are kept; it changes speed, never what is drawn.
        """
        found = list_set(store, config)
        refuse(store, found.findings)
        self._files = _Files(store, cache_bytes)
        self._store, self._set = store, found
        self._config = config
        self._seed = seed
        self._a, self._b = found.a, found.b
        self._names = {"a": list(self._a), "b": list(self._b)}
        self._augment = Augment(config.short_side_px, config.crop_px, flip=config.flip, jitter=config.jitter)
        self._answers = {"a": found.answers_a, "b": found.answers_b}
        self._test_a, self._test_b = found.test_a, found.test_b

    def describe(self) -> str:
        """Counts, for the status line."""
        answers = len(self._answers["a"]) + len(self._answers["b"])
        return f"{len(self._a)} images of a, {len(self._b)} of b" + (f", {answers} answers" if answers else "")

    def digest(self) -> str:
        """Of the set as it is listed now, see `digest_of_set`."""
        return digest_of_set(self._store, self._config, self._set)

    def batches(self, seen: int, batch: int, part: slice = slice(None)) -> Generator[dict[str, Tensor]]:
        """Endless batches from the ``seen``-th image on, prepared ahead in threads; only ``part`` of each batch.

        The threads share no work out, as the network's would wait for theirs (see `translate.models.threads`).
        """
        places = range(batch)[part]
        before = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(2, "data", torch.set_num_threads, (1,)) as pool:
                waiting = [pool.submit(self.batch, seen + i * batch + places.start, len(places)) for i in range(AHEAD)]
                while True:
                    ready = waiting.pop(0)
                    seen += batch
                    waiting.append(pool.submit(self.batch, seen + (AHEAD - 1) * batch + places.start, len(places)))
                    yield ready.result()
        finally:
            torch.set_num_threads(before)  # threads to come would have what one has set last

    def batch(self, start: int, count: int) -> dict[str, Tensor]:
        """Images ``start`` to ``start + count``: (N, C, crop, crop) float32 in [-1, 1] by name."""
        item = self._pair if self._config.kind == "paired" else self._two
        collated: dict[str, Tensor] = default_collate([item(start + i) for i in range(count)])
        return collated

    def names(self, start: int, count: int) -> list[str]:
        """Names of images ``start`` to ``start + count``, by domain, for messages: ``a/<name>``, ``b/<name>``."""
        streams = ((0, "a"),) if self._config.kind == "paired" else ((0, "a"), (1, "b"))
        return [f"{domain}/{self._drawn(self._names[domain], start + i, stream)}"
                for i in range(count) for stream, domain in streams]

    def samples(self, count: int) -> dict[str, list[Tensor]]:
        """Up to ``count`` whole test images of each domain, as small as training shows them; (C, H, W) each.

        Training images where the pipeline names no test images.
        """
        side = self._config.short_side_px[0]
        return {domain: [self._whole(source, side, channels) for source in _spread(test or train, count)]
                for domain, test, train, channels in (("a", self._test_a, self._a, self._config.channels_a),
                                                      ("b", self._test_b, self._b, self._config.channels_b))}

    def _whole(self, source: Source, side: int, channels: int) -> Tensor:
        pixels = self._files.get(source)
        pixels = resize(pixels, *short_side(pixels.shape[0], pixels.shape[1], side))
        return tensors.to_channels(tensors.to_tensor(pixels), channels)

    def _pair(self, index: int) -> dict[str, Tensor]:
        name = self._drawn(self._names["a"], index, 0)
        image, target = self._cut(self._a[name], self._b[name], index, 0)
        assert target is not None
        return {"a": tensors.to_channels(image, self._config.channels_a),
                "b": tensors.to_channels(target, self._config.channels_b)}

    def _two(self, index: int) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        for stream, side, images in ((0, "a", self._a), (1, "b", self._b)):
            name = self._drawn(self._names[side], index, stream)
            answers = self._answers[side]
            image, target = self._cut(images[name], answers.get(name), index, stream)
            out[side] = tensors.to_channels(image, getattr(self._config, f"channels_{side}"))
            if answers:
                out[f"known_{side}"] = torch.tensor(float(target is not None))
                out[f"answer_{side}"] = torch.zeros_like(image) if target is None else target
        return out

    def _drawn(self, names: list[str], index: int, stream: int) -> str:
        """Each pass over the images is a permutation of its own."""
        lap, place = divmod(index, len(names))
        return names[int(_permutation(self._seed, stream, lap, len(names))[place])]

    def _cut(self, source: Source, partner: Source | None, index: int, stream: int) -> tuple[Tensor, Tensor | None]:
        image, target = self._files.get(source), None if partner is None else self._files.get(partner)
        if partner is not None and target is not None and target.shape != image.shape:
            raise DataError(f"{source.key} is {image.shape[1]} x {image.shape[0]} pixels and its partner {partner.key} "
                            f"{target.shape[1]} x {target.shape[0]}; the two images of a pair need one size")
        seed = int(np.random.default_rng((self._seed, 2 + stream, index)).integers(2**31))
        cut, other = self._augment(image, target, seed)
        return tensors.to_tensor(cut), None if other is None else tensors.to_tensor(other)


class _Files:
    """Decoded files by key, the least recently used dropped first."""

    def __init__(self, store: ObjectStore, most_bytes: int) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, source: Source) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB; raises `DataError` naming the file that can't be read."""
        return source.cut(self._file(source.key))

    def _file(self, key: str) -> NDArray[np.uint8]:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = read_pixels(self._store, key)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = pixels
                self._bytes += pixels.nbytes
            while self._bytes > self._most_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return pixels


@lru_cache(maxsize=8)
def _permutation(seed: int, stream: int, lap: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, stream, lap)).permutation(count)


def _spread(images: Images, count: int) -> list[Source]:
    sources = list(images.values())
    picked = np.linspace(0, len(sources) - 1, min(count, len(sources))).round().astype(int)
    return [sources[int(i)] for i in picked]
