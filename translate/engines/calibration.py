"""Calibration to int8: which range each layer's values have on the user's own images.

Post-training quantisation by NNCF (arXiv:2002.08679): weights and activations of the convolutions become 8-bit
integers with a scale each (weights: each channel), biases are corrected for the mean error; everything else stays.
"""

from __future__ import annotations

import io
import os
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from translate.engines.openvino import convert, pack
from translate.errors import UsageError
from translate.images.tensors import pad_to_multiple, to_channels, to_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from translate.models.translator import Translator

IMAGES = 64
"""To calibrate with, at most."""
MOST_PX = 512
"""Side of the part of each image that is looked at."""


def calibrate(translator: Translator, images: Sequence[NDArray[np.uint8]], *, finely: bool = False) -> bytes:
    """The network in int8, for ``OpenVinoEngine(translator, "int8", ...)``; its bytes differ from time to time.

    ``images``: uint8 (H, W, 3) RGB at the working size, of any height and width, like those to be translated.
    ``finely``: activations get a zero point beside their scale, so that the levels of one-sided ranges are all used;
    1.4 and 3.3 dB nearer to float32 on two shipped models, and slower.
    Raises `UsageError` if NNCF is not installed or there are no images.
    """
    if not images:
        raise UsageError("int8 is calibrated on images, and none could be read; use another engine")
    nncf = _load()
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():  # it shows bars, and warns of its own imports
        warnings.simplefilter("ignore")
        dataset = nncf.Dataset(images, lambda image: _input(translator, image))
        preset = nncf.QuantizationPreset.MIXED if finely else nncf.QuantizationPreset.PERFORMANCE
        return pack(nncf.quantize(convert(translator), dataset, preset=preset, subset_size=len(images)))


def _input(translator: Translator, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    top, left = max(0, height - MOST_PX) // 2, max(0, width - MOST_PX) // 2
    x = to_channels(to_tensor(image[top : top + MOST_PX, left : left + MOST_PX]), translator.in_channels)
    padded, _ = pad_to_multiple(x[None], translator.multiple, translator.minimum_px)
    found: NDArray[np.float32] = padded.numpy()
    return found


def _load() -> Any:  # noqa: ANN401 - a module
    os.environ.setdefault("NNCF_CI", "1")  # else it reports its use to its makers, without being asked
    try:
        import nncf
    except ModuleNotFoundError as error:
        raise UsageError(
            "int8 is calibrated by NNCF, which is not installed; pip install 'translate-images[openvino]'"
        ) from error
    return nncf
