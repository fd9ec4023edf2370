"""PyTorch as the engine: float32 anywhere, bfloat16 where the processor multiplies it in hardware.

**The same bytes.** A pixel must not depend on how the job was cut, so every image is computed by itself.
Measured on a CPU with AMX (torch 2.14.1): float32 convolutions sum in another order with two threads than
with one (differences near 1e-6, enough to flip a grey level here and there); bfloat16 ones gave the same bits
with 1, 2, 3, 4, 8 and 16 threads. So in float32 an image is computed by the calling thread alone; to use
several cores, translate `TorchEngine.concurrency` images at once.

**Flat memory.** On a processor torch keeps what it prepared for each layer and size, up to 1024 of them in each of two
caches: half a gigabyte once pictures have many sizes. `KEPT_PREPARED` bounds both; it has to be set before the first
convolution.
"""

from __future__ import annotations

import contextlib
import copy
import os
from typing import TYPE_CHECKING, Literal, cast

import torch

from translate.engines.contract import Declared
from translate.errors import UsageError
from translate.models.threads import on_all_cores, one_thread
from translate.models.translator import Translator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]

ENGINES = {
    "torch-float32": Declared("cpu", "float32", least_db=60),
    "torch-bfloat16": Declared("cpu", "bfloat16", least_db=40),
    "torch-cuda-float32": Declared("cuda", "float32", least_db=60),
    "torch-cuda-bfloat16": Declared("cuda", "bfloat16", least_db=40),
    "torch-mps-float32": Declared("mps", "float32", least_db=60),
}

GPU_BATCH = 8
"""Images of one size that share a call on a GPU, which one image alone leaves mostly idle."""

KEPT_PREPARED = 256
"""Prepared layers that are kept: about ten sizes of a ResNet, more than a training step of any game here needs."""
for _name_of_bound in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_name_of_bound, str(KEPT_PREPARED))


class TorchEngine:
    """Runs one translator, from several threads if wanted; the translator itself is left as it is."""

    def __init__(
        self, translator: Translator, *, device: Device = "auto", precision: Precision = "auto"
    ) -> None:
        """``auto``: CUDA or MPS if there is one; bfloat16 where `has_bfloat16`, else float32.

        Raises `UsageError` if the device is not there.
        """
        self.device = pick_device(device)
        self.precision = _pick_precision(precision, self.device)
        self._alone = self.device == "cpu" and self.precision == "float32"
        if self.device == "cuda" and self.precision == "float32":
            torch.backends.cudnn.allow_tf32 = False  # it keeps 10 bits of 23, which is no float32
        with one_thread():
            network = copy.deepcopy(translator.network).to(self.device)
            if self.precision == "bfloat16":
                network = network.to(memory_format=torch.channels_last)
            self.translator = Translator(network, translator.facts)

    @property
    def name(self) -> str:
        """What makes the pixels, ``torch-bfloat16`` or, off the CPU, ``torch-cuda-bfloat16``."""
        return _name(self.device, self.precision)

    @property
    def concurrency(self) -> int:
        """How many images to translate at once, from as many threads, to use the whole machine."""
        return torch.get_num_threads() if self._alone else 1

    @property
    def batch(self) -> int:
        """How many images of one size gain from sharing a call."""
        return GPU_BATCH if self.device == "cuda" else 1

    def translate(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) float32 in [-1, 1] on the CPU, any H, W -> (N, out_channels, H, W)."""
        if self.device == "cuda":
            return self._run(x, self.translator)
        if self.device == "cpu" and not self._alone:
            return on_all_cores(lambda: self._each(x, self.translator))
        return self._each(x, self.translator)

    def compat(self, x: Tensor, seed: int) -> Tensor:
        """`Translator.compat`, every image by itself and with the same seed; of a float32 engine only.

        Raises `UsageError` on a bfloat16 engine: reproducing another program's pixels needs its precision.
        """
        if self.precision != "float32":
            raise UsageError("pixels: compat needs float32; make the engine with precision='float32'")
        return self._each(x, lambda image: self.translator.compat(image, seed))

    def _each(self, x: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
        threads = one_thread() if self._alone else contextlib.nullcontext()
        with threads:
            return torch.cat([self._run(image[None], run) for image in x])

    def _run(self, x: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return run(x.to(self.device)).cpu()


def open_engine(name: str, translator: Translator, calibrated: bytes | None = None) -> TorchEngine:  # noqa: ARG001
    """One of `ENGINES`. Raises `UsageError` if its device is not there."""
    declared = ENGINES[name]
    return TorchEngine(translator, device=declared.device, precision=cast("Precision", declared.precision))


def engine_name(device: Device) -> str:
    """Name of the engine that this machine has for a device. Raises `UsageError` if the device is not there."""
    picked = pick_device(device)
    return _name(picked, _pick_precision("auto", picked))


def _name(device: str, precision: str) -> str:
    return "-".join(["torch", *([] if device == "cpu" else [device]), precision])


def pick_device(device: Device) -> Literal["cpu", "cuda", "mps"]:
    """The device to use. Raises `UsageError` if the one that was asked for is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        best = next(name for name, is_there in there.items() if is_there)
        return cast("Literal['cpu', 'cuda', 'mps']", best)
    if not there[device]:
        having = ", ".join(name for name, is_there in there.items() if is_there)
        raise UsageError(f"device {device!r} is not available here; this machine has: {having}")
    return device


def has_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware (a CPU: AMX)."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001 - has no public name


def _pick_precision(precision: Precision, device: str) -> Literal["float32", "bfloat16"]:
    if precision == "auto":
        return "bfloat16" if has_bfloat16(device) else "float32"
    return precision
