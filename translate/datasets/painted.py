"""Photographs and what they look like in oil paint: pairs made by `translate.images.brush`.

    train/photo      each photograph as it is, and mirrored in other light and colours
    train/painting   under the same names: the picture in an impressionist's palette, laid down in brush strokes
    test/photo test/painting   the same of every tenth photograph, as it is only
    ATTRIBUTION.md   written last

Strokes suit pictures with a short side of some 400 pixels: larger photographs are reduced to that. JPEG of quality 95.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import cv2
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
    photos: ObjectStore, store: ObjectStore, *, versions: int = 1, seed: int = 0, report: Listener = silent
) -> dict[str, int]:
    """Make the set from all photographs in a store; returns images by folder.

    ``versions`` is how often each training photograph is painted: once as it is, else in other light and colours.
    The same arguments give the same bytes.
    """
    keys = image_keys(photos, "")
    counts = dict.fromkeys(("train/photo", "train/painting", "test/photo", "test/painting"), 0)

    def write(folder: str, name: str, pixels: NDArray[np.uint8]) -> None:
        jpeg = encode(Picture(pixels, None, "jpeg"), "jpeg", 95)
        store.put(f"{folder}/{name}.jpg", jpeg, content_type="image/jpeg")
        counts[folder] += 1

    for number, (name, key) in enumerate(keys.items()):
        photo = _reduced(read_pixels(photos, key))
        held_out = number % 10 == 0 and len(keys) > 1
        for version in range(1 if held_out else versions):
            random = np.random.default_rng((seed, number, version))
            picture = in_other_light(photo, random) if version else photo
            folder = "test" if held_out else "train"
            file = f"{PurePosixPath(name)}_{version}".replace("/", "_")
            write(f"{folder}/photo", file, picture)
            write(f"{folder}/painting", file, paint(impressionist_palette(picture), int(random.integers(2**31))))
        report(Progress(number + 1, len(keys), "photographs"))
    store.put("ATTRIBUTION.md", _attribution(photos).encode(), content_type="text/markdown")
    return counts


def in_other_light(photo: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Mirrored, darker or lighter, in paler or stronger colours of another hue; (H, W, 3) uint8 RGB twice."""
    hsv = cv2.cvtColor(np.ascontiguousarray(photo[:, ::-1]), cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + random.normal(0, 8)) % 180
    hsv[..., 1] *= random.uniform(0.5, 1.3)
    hsv[..., 2] = 255 * (hsv[..., 2] / 255) ** np.exp(random.uniform(-0.4, 0.6))
    changed = cv2.cvtColor(np.rint(hsv.clip(0, 255)).clip(0, (179, 255, 255)).astype(np.uint8), cv2.COLOR_HSV2RGB)
    return np.asarray(changed, dtype=np.uint8)


def _reduced(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    if min(height, width) <= MOST_SHORT_SIDE_PX:
        return photo
    return resize(photo, *short_side(height, width, MOST_SHORT_SIDE_PX), how="lanczos")


def _attribution(photos: ObjectStore) -> str:
    return (f"# Painted photographs\n\nPhotographs from {photos.url}: their own terms apply to every picture made of "
            "them. Painted by translate/images/brush.py.\n")
