"""Up to which size an image is translated whole, and up to which exactly, in the memory that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from translate.engines.available import available_bytes
from translate.provenance import Sizes

if TYPE_CHECKING:
    from translate.engines.contract import Engine

WHOLE_BYTES_PER_PIXEL_AND_CHANNEL = 45
"""What a whole image takes for each of its pixels and each channel of the generator's ``width``; measured at a ResNet
with antialiased sampling in float32. Others need less."""
WHOLE_SHARE = 0.25
"""Of the memory that there is: smaller images are being translated, others decoded and encoded meanwhile."""
MOST_WHOLE_PX, LEAST_WHOLE_PX = 2**22, 2**18
"""Images are never translated whole beyond the first, where it brings nothing any more; always up to the second."""
SWEEP_BYTES = 2**30
"""What a sweep takes whatever the image's size, with the process around it."""
SWEEP_VALUES_PER_PIXEL_AND_CHANNEL = 1
"""What a sweep takes besides, for each pixel and each channel of ``width``: 128 bytes in bfloat16 at width 64."""
DEFAULT_WIDTH = 64
"""Of a generator whose config has no ``width``."""


def sizes_for(engine: Engine, memory_bytes: int | None = None) -> Sizes:
    """What a run that is planned on this machine fixes; ``memory_bytes`` in place of what the machine has.

    The size for whole images is a power of two, so that runs under somewhat different conditions make the same bytes.
    """
    memory = _memory_of(engine.device) if memory_bytes is None else memory_bytes
    if memory is None:
        return Sizes(whole_px=LEAST_WHOLE_PX, exact_px=None)
    width = getattr(engine.translator.config, "width", DEFAULT_WIDTH)
    whole_px = int(WHOLE_SHARE * memory / (WHOLE_BYTES_PER_PIXEL_AND_CHANNEL * width))
    whole_px = min(MOST_WHOLE_PX, max(LEAST_WHOLE_PX, 2 ** (max(1, whole_px).bit_length() - 1)))
    bytes_per_value = 4 if engine.precision == "float32" else 2
    exact_px = max(0, memory - SWEEP_BYTES) // (SWEEP_VALUES_PER_PIXEL_AND_CHANNEL * width * bytes_per_value)
    return Sizes(whole_px=whole_px, exact_px=max(whole_px, exact_px))


def _memory_of(device: str) -> int | None:
    return int(torch.cuda.mem_get_info()[0]) if device == "cuda" else available_bytes()
