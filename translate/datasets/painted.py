"""Photographs and what they look like in oil paint: pairs made by `translate.images.brush`.

    train/photo      each photograph
    train/painting   under the same names: the photograph in an impressionist's palette, laid down in brush strokes
    test/photo test/painting   the same of every tenth photograph
    ATTRIBUTION.md   written last

Strokes suit pictures with a short side of some 400 pixels: larger photographs are reduced to that. JPEG of quality 95.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from translate.datasets.folder import image_keys, read_pixels
from translate.images.brush import impressionist_palette, paint
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.images.resize import resize, short_side
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from translate.stores.contract import ObjectStore

MOST_SHORT_SIDE_PX = 400
"""Larger photographs are reduced to this short side."""


def prepare(
    photos: ObjectStore, store: ObjectStore, *, seed: int = 0, report: Listener = silent
) -> dict[str, int]:
    """Make the set from all photographs in a store; returns images by folder. The same arguments, the same bytes."""
    keys = image_keys(photos, "")
    counts = dict.fromkeys(("train/photo", "train/painting", "test/photo", "test/painting"), 0)
    for number, (name, key) in enumerate(keys.items()):
        photo = _reduced(read_pixels(photos, key))
        strokes = int(np.random.default_rng((seed, number)).integers(2**31))
        part = "test" if number % 10 == 0 and len(keys) > 1 else "train"
        for kind, pixels in (("photo", photo), ("painting", paint(impressionist_palette(photo), strokes))):
            jpeg = encode(Picture(pixels, None, "jpeg"), "jpeg", 95)
            store.put(f"{part}/{kind}/{name.replace('/', '_')}.jpg", jpeg, content_type="image/jpeg")
            counts[f"{part}/{kind}"] += 1
        report(Progress(number + 1, len(keys), "photographs"))
    store.put("ATTRIBUTION.md", _attribution(photos).encode(), content_type="text/markdown")
    return counts


def _reduced(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    if min(height, width) <= MOST_SHORT_SIDE_PX:
        return photo
    return resize(photo, *short_side(height, width, MOST_SHORT_SIDE_PX), how="lanczos")


def _attribution(photos: ObjectStore) -> str:
    return (f"# Painted photographs\n\nPhotographs from {photos.url}: their own terms apply to every picture made of "
            "them. Painted by translate/images/brush.py.\n")
