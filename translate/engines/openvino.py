"""OpenVINO as the engine of processors: float32, bfloat16, and int8 after calibration on the user's own images.

The network is converted once and compiled once for every height and width: compiling it for each size anew takes
longer than translating an image, and a folder of photographs has many sizes.

**The same bytes.** Images are computed one at a time. The statistics of a norm are summed up by threads, each over its
part of the pixels, so that their number decides the last bits (measured, in every precision). So an image is always
computed by two threads, whatever the machine has: one does not use two cores, more would leave machines with two
cores out. Larger machines have more images in hand, `OpenVinoEngine.concurrency`. Threads are not pinned to cores,
because other workers on the machine would be pinned to the same ones.
"""

from __future__ import annotations

import io
import os
import queue
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import nn

from translate.engines._trace import trace
from translate.engines.contract import Declared
from translate.errors import ModelError, UsageError
from translate.models.translator import Translator

if TYPE_CHECKING:
    import openvino
    from torch import Tensor

ENGINES = {
    "openvino-float32": Declared("cpu", "float32", least_db=60),
    "openvino-bfloat16": Declared("cpu", "bfloat16", least_db=40),
    "openvino-int8": Declared("cpu", "int8", least_db=33),
}
INT8 = "openvino-int8-"
"""What the whole name of an int8 engine begins with; the rest names the calibrated weights by their digest."""
FILES = ("model.xml", "model.bin")
"""Of a network on disk, as OpenVINO calls them."""
THREADS = 2
"""That compute an image; never more nor fewer, see above."""
KEPT_PREPARED = 128
"""Layers of each kind, prepared for one size, that OpenVINO keeps for pictures of the same size: about eight sizes of a
U-Net of eight levels, more of others. Its own bound of 5000 let a process grow without end with pictures of ever new
sizes."""
Precision = Literal["float32", "bfloat16", "int8"]
_forked: list[int] = []
"""The process, if it was forked when OpenVINO was loaded already."""


class OpenVinoEngine:
    """Runs one translator on the processor, from several threads if wanted; the translator is left as it is."""

    device = "cpu"
    batch = 1

    def __init__(self, translator: Translator, precision: Precision, calibrated: bytes | None = None) -> None:
        """``calibrated``: what `translate.engines.calibration.calibrate` made of this translator, for ``int8``.

        Raises `UsageError` if OpenVINO is not installed, or the processor has not the precision or only one core.
        """
        if precision == "bfloat16" and not has_bfloat16():
            raise UsageError("engine openvino-bfloat16: this processor has no bfloat16; use openvino-float32")
        if (precision == "int8") != (calibrated is not None):
            raise AssertionError("int8 is calibrated, the others are not")
        self.translator = translator
        self.precision = precision
        self.name = f"openvino-{precision}" if calibrated is None else name_of(calibrated)
        model = convert(translator) if calibrated is None else unpack(calibrated)
        if precision == "bfloat16":
            _end_with_a_convolution(model)
        self.concurrency = max(1, torch.get_num_threads() // THREADS)
        compiled = load().Core().compile_model(model, "CPU", _options(precision, self.concurrency))
        if (threads := compiled.get_property("INFERENCE_NUM_THREADS")) != THREADS * self.concurrency:
            raise UsageError(f"engine {self.name} needs {THREADS} threads for each of {self.concurrency} images at "
                             f"once, but OpenVINO takes {threads} in all on this machine; use a torch engine")
        self._padded = Translator(_Compiled(compiled), translator.facts)

    def translate(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) float32 in [-1, 1] on the CPU, any H, W -> (N, out_channels, H, W)."""
        _refuse_after_fork()
        images = [self._padded(image[None]) for image in x]
        return images[0] if len(images) == 1 else torch.cat(images)

    def compat(self, x: Tensor, seed: int) -> Tensor:  # noqa: ARG002 - refused whatever they are
        """Raises `UsageError`: reproducing another program's pixels is for PyTorch in float32."""
        raise UsageError(f"pixels: compat needs the engine torch-float32, not {self.name}")


class _Compiled(nn.Module):
    """A compiled network in the place of the one in PyTorch."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        super().__init__()
        self._compiled = compiled
        self._idle: queue.LifoQueue[openvino.InferRequest] = queue.LifoQueue()
        """A request belongs to one thread at a time, and holds memory for the largest image it has seen."""

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> the same, as the network does."""
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            found = request.infer({0: x.contiguous().numpy()}, share_inputs=True, share_outputs=True)
            return torch.from_numpy(found[0].copy())
        finally:
            self._idle.put(request)


def open_engine(name: str, translator: Translator, calibrated: bytes | None) -> OpenVinoEngine:
    """One of `ENGINES`, or the engine of the whole name of an int8 engine with the weights that it names.

    Raises `UsageError` if OpenVINO is not installed or the processor has not the precision, `ModelError` if the
    weights are others.
    """
    if name.startswith("openvino-int8"):
        if calibrated is None or name_of(calibrated) != name:
            got = "none are there" if calibrated is None else f"those that are there are {name_of(calibrated)}"
            raise ModelError(f"engine {name!r} needs its calibrated weights, but {got}; calibrate again with a new run")
        return OpenVinoEngine(translator, "int8", calibrated)
    return OpenVinoEngine(translator, cast("Precision", ENGINES[name].precision))


def name_of(calibrated: bytes) -> str:
    """Name of the int8 engine with these weights."""
    return INT8 + sha256(calibrated).hexdigest()[:16]


def has_bfloat16() -> bool:
    """Whether OpenVINO multiplies bfloat16 in hardware on this processor."""
    return "BF16" in load().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def load() -> Any:  # noqa: ANN401 - a module
    """The package, which is not always installed, nor of use in a forked process, and which reports nothing to its
    makers. Raises `UsageError`."""
    _refuse_after_fork()
    # OpenVINO and NNCF send their use to an analytics service and keep an identifier in the home folder, unless this
    # module of theirs is missing.
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))  # None: as if it was not installed
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise UsageError(
            "this engine needs OpenVINO, which is not installed; pip install 'translate-images[openvino]'"
        ) from error
    return openvino


def _refuse_after_fork() -> None:
    """Raise `UsageError` where OpenVINO would wait for ever for threads of a parent process."""
    if _forked:
        raise UsageError("OpenVINO does not work in a process that was forked after its parent had loaded it; start "
                         "processes by 'spawn', or take a torch engine")


def _note_fork() -> None:
    if "openvino" in sys.modules:
        _forked.append(os.getpid())


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_note_fork)


def convert(translator: Translator) -> openvino.Model:
    """The network as OpenVINO's: (1, in_channels, H, W) float32, H and W multiples of ``translator.multiple``.

    By the frontend itself and not by ``openvino.convert_model``, which reports its use to the makers.
    """
    load()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    reader = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(trace(translator))  # has to live until the end of the conversion
    model = reader.convert(reader.load(decoder))
    model.reshape([1, translator.in_channels, -1, -1])
    return cast("openvino.Model", model)


def _end_with_a_convolution(model: openvino.Model) -> None:
    """Put a convolution that changes nothing behind a transposed one that makes the pixels.

    OpenVINO keeps what lies behind a network's last convolutions in float32, for precision's sake, and does not count
    transposed ones: of a U-Net that is the whole decoder (measured: 80 % of its time).
    """
    from openvino import opset13 as ops

    (result,) = model.get_results()
    last = result.input_value(0).get_node()
    end = last if last.get_type_name() == "Tanh" else result
    pixels = end.input_value(0)
    made_by = pixels.get_node()
    while made_by.get_type_name() in ("Add", "Multiply"):
        made_by = made_by.input_value(0).get_node()
    if made_by.get_type_name() != "ConvolutionBackpropData":
        return
    channels = pixels.get_partial_shape()[1].get_length()
    same = ops.constant(np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1))
    at = ops.convolution(pixels, same, [1, 1], [0, 0], [0, 0], [1, 1])
    end.input(0).replace_source_output(at.output(0))
    model.validate_nodes_and_infer_types()


def pack(model: openvino.Model) -> bytes:
    """A network as one file: a ZIP, uncompressed, of OpenVINO's ``model.xml`` and ``model.bin``; the same network
    gives the same bytes."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w") as archive:
        save(model, Path(folder) / FILES[0])
        for name in FILES:
            archive.writestr(zipfile.ZipInfo(name), (Path(folder) / name).read_bytes())
    return packed.getvalue()


def unpack(data: bytes) -> openvino.Model:
    """What `pack` was given. Raises `ModelError` if it was damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return cast("openvino.Model", load().Core().read_model(*(archive.read(name) for name in FILES)))
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise ModelError(f"calibrated weights are damaged: {error}; calibrate again with a new run") from error


def run_file(path: Path, x: Tensor) -> Tensor:
    """(1, C, H, W) float32 through the network in an ``.onnx`` or ``.xml`` file, in float32."""
    compiled = load().Core().compile_model(str(path), "CPU", _options("float32", 1))
    return cast("Tensor", _Compiled(compiled)(x))


def save(model: openvino.Model, path: Path) -> None:
    """Write ``.xml``, and ``.bin`` beside it, with the weights as they are."""
    load().save_model(model, str(path), compress_to_fp16=False)


def _options(precision: Precision, at_once: int) -> dict[str, object]:
    brief = precision == "bfloat16" or (precision == "int8" and has_bfloat16())
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if brief else "f32",
        "NUM_STREAMS": at_once,
        "INFERENCE_NUM_THREADS": THREADS * at_once,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": KEPT_PREPARED,
    }
