"""What an engine is: a way to run a generator.

A file ``translate/engines/<kind>.py`` with ``ENGINES`` makes engines, which are opened by name, see
`translate.engines.opening`:

    ENGINES: dict[str, Declared]                            # by name, "<kind>-<what makes the pixels>"
    open_engine(name: str, translator: Translator, calibrated: bytes | None) -> Engine

An engine in int8 has weights of its own, calibrated on images of the job, and its whole name ends in their digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from translate.models.translator import Translator


@dataclass(frozen=True, slots=True)
class Declared:
    """What the file of an engine says of it."""

    device: Literal["cpu", "cuda", "mps"]
    """On which it computes."""
    precision: str
    """In which it computes: ``float32``, ``bfloat16`` or ``int8``."""
    least_db: float
    """Least PSNR of its 8-bit pixels against those of the model on the CPU in float32; with less it is refused.
    60: one level in 16 pixels; 40: 2.5 levels; 33: 5.7 levels (root mean squares)."""


class Engine(Protocol):
    """Runs one translator. Each image's pixels depend on the image, the model and ``name`` alone: not on threads, or on
    what else is being translated. On a GPU another number of images in a call may change them by rounding."""

    @property
    def name(self) -> str:
        """What makes the pixels, e.g. ``torch-bfloat16``; part of the work digest."""
        ...

    @property
    def device(self) -> str:
        """``cpu``, ``cuda`` or ``mps``."""
        ...

    @property
    def precision(self) -> str:
        """``float32``, ``bfloat16`` or ``int8``."""
        ...

    @property
    def concurrency(self) -> int:
        """How many images to translate at once, from as many threads, to use the whole machine."""
        ...

    @property
    def batch(self) -> int:
        """How many images of one size gain from sharing a call; 1 on processors."""
        ...

    @property
    def translator(self) -> Translator:
        """The model that it runs."""
        ...

    def translate(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) float32 in [-1, 1] on the CPU, any H, W -> (N, out_channels, H, W); thread-safe."""
        ...

    def compat(self, x: Tensor, seed: int) -> Tensor:
        """`Translator.compat`, every image by itself and with the same seed; raises `UsageError` unless the engine
        computes in float32 with PyTorch."""
        ...
