"""Images in a folder of a store: their names, and their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from translate.errors import DataError, ItemError
from translate.images import codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from translate.images.picture import Picture
    from translate.stores.contract import ObjectStore


def image_keys(store: ObjectStore, folder: str) -> dict[str, str]:
    """Name (relative to the folder, without extension) -> key of every image in a folder, in the keys' order.

    ``folder`` may be empty: the whole store. Raises `DataError` if there is no image, or two have one name.
    """
    found: dict[str, str] = {}
    for name, key in named_images(store, folder):
        if name in found:
            raise DataError(f"{store.url}: {found[name]} and {key} differ in their extension only; "
                            "remove one")
        found[name] = key
    if not found:
        prefix = prefix_of(folder)
        raise DataError(f"no images under {prefix or '/'} in {store.url}; "
                        f"expected files such as {prefix}name.png")
    return found


def named_images(store: ObjectStore, folder: str) -> Iterator[tuple[str, str]]:
    """(name, key) of every image in a folder, in the keys' order; two may have one name."""
    prefix = prefix_of(folder)
    for info in store.list(prefix):
        if codec.has_image_extension(info.key):
            yield info.key.removeprefix(prefix).rsplit(".", 1)[0], info.key


def read_pixels(store: ObjectStore, key: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, transparency put on white; raises `DataError` naming a file that can't be read."""
    try:
        return on_white(codec.decode(store.get(key).data))
    except ItemError as error:
        raise DataError(f"{store.url}: {key} can't be read ({error}); repair or remove it") from error


def on_white(picture: Picture) -> NDArray[np.uint8]:
    """The picture's pixels, (H, W, 3) uint8 RGB, as seen on white paper."""
    if picture.alpha is None:
        return picture.pixels
    alpha = picture.alpha.astype(np.float32)[..., None] / 255
    return np.rint(picture.pixels * alpha + 255 * (1 - alpha)).astype(np.uint8)


def centre_square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square in the middle of (H, W, 3)."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def prefix_of(folder: str) -> str:
    """What the keys of a folder begin with; empty for the whole store."""
    return f"{folder.strip('/')}/" if folder.strip("/") else ""
