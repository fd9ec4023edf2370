"""Up to which size an image is translated whole, and how much a larger one may take, from the memory that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from translate.engines.available import available_bytes
from translate.engines.sweep import DEFAULT_WIDTH
from translate.provenance import Sizes

if TYPE_CHECKING:
    from translate.engines.contract import Engine

WHOLE_BYTES_PER_PIXEL_AND_CHANNEL = 45
"""What a whole image takes for each of its pixels and each channel of the generator's ``width``; measured at a ResNet
with antialiased sampling in float32. Others need less."""
WHOLE_SHARE = 0.25
"""Of the memory that there is: smaller images are being translated, others decoded and encoded meanwhile."""
SWEEP_SHARE = 0.6
"""The same where an image is translated in parts, of which it is known better what they take."""
MOST_WHOLE_PX, LEAST_WHOLE_PX = 2**22, 2**18
"""Images are never translated whole beyond the first, where it brings nothing any more; always up to the second."""


def sizes_for(engine: Engine, memory_bytes: int | None = None) -> Sizes:
    """What a run that is planned on this machine fixes; ``memory_bytes`` in place of what the machine has.

    The size for whole images is a power of two, so that runs under somewhat different conditions make the same bytes.
    """
    memory = memory_of(engine.device) if memory_bytes is None else memory_bytes
    if memory is None:
        return Sizes(whole_px=LEAST_WHOLE_PX, sweep_bytes=None)
    width = getattr(engine.translator.config, "width", DEFAULT_WIDTH)
    whole_px = int(WHOLE_SHARE * memory / (WHOLE_BYTES_PER_PIXEL_AND_CHANNEL * width))
    whole_px = min(MOST_WHOLE_PX, max(LEAST_WHOLE_PX, 2 ** (max(1, whole_px).bit_length() - 1)))
    return Sizes(whole_px=whole_px, sweep_bytes=int(SWEEP_SHARE * memory))


def memory_of(device: str) -> int | None:
    """Bytes that this process may still take on ``cpu``, ``cuda`` or ``mps``; None if the system does not say."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    if device == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return available_bytes()
