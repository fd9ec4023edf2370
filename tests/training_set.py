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


def fill(store, count):
    """Put so many pictures into the folder ``trainA``, and their inverses into ``trainB``."""
    for i in range(count):
        store.put(f"trainA/{i}.png", png(picture(i)))
        store.put(f"trainB/{i}.png", png(255 - picture(i)))


TINY = {
    "objective": {"name": "cyclegan"},
    "generator": {"architecture": "resnet", "width": 4, "blocks": 1},
    "discriminator": {"architecture": "patchgan", "width": 4, "layers": 1},
    "data": {"kind": "unpaired", "short_side_px": [32, 48], "crop_px": 32},
    "images": 8,
    "batch": 2,
}
"""A training of seconds, for folders ``trainA`` and ``trainB`` of such pictures."""

WAVES = {
    "name": "waves",
    "summary": "Colours to their inverse.",
    "domains": {"a": "wave", "b": "inverse"},
    "reverse_model": "unwaves",
    "training": TINY | {"weights": "float16"},
}
"""A pipeline that trains so."""
