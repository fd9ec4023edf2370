"""A small training set of real photographs' kind: smooth colour on one side, its inverse on the other."""

import numpy as np

from translate.images import codec
from translate.images.picture import Picture


def picture(seed, size=48):
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(2 * np.pi * (random.uniform(0.5, 2) * rows + random.uniform(0.5, 2) * columns)) for _ in range(3)]
    return np.ascontiguousarray((127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8))


def png(pixels):
    return codec.encode(Picture(pixels, None, "png"), "png", 100)
