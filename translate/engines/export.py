"""A model's network in the form of another runtime: ONNX, OpenVINO or TorchScript, with a check that it is the same.

All are in float32 and take (1, in_channels, H, W) in [-1, 1], H and W any multiples of ``Translator.multiple``: padding
and cropping, which the translator does, are left to whoever runs it.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import torch

from translate.engines._trace import example, trace
from translate.engines.openvino import convert, run_file, save
from translate.errors import ModelError, UsageError
from translate.images.codec import decode
from translate.images.resize import resize
from translate.images.tensors import to_channels, to_tensor
from translate.shipped import shipped_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from translate.models.translator import Translator

Form = Literal["onnx", "openvino", "torchscript"]
SUFFIXES: dict[Form, str] = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt"}
LARGEST_DIFFERENCE = 2e-3
"""Of values in [-1, 1]: a quarter of a grey level. Other runtimes sum in another order."""
OPSET = 17
"""Of ONNX; runtimes from 2022 on read it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how far its output is from the model's own on a photograph of two sizes."""

    path: Path
    largest_difference: float
    """Of values in [-1, 1]."""
    psnr_db: float
    """Infinite if they are the same."""
    in_channels: int
    """Of the input, (1, in_channels, H, W)."""
    multiple: int
    """Of which height and width of the input have to be multiples."""


def export(translator: Translator, form: Form, folder: Path) -> Exported:
    """Write the network into ``folder`` and compare what was written with the model.

    Raises `ModelError`, and leaves no file, if their outputs differ by more than `LARGEST_DIFFERENCE`; `UsageError` if
    OpenVINO, which also reads ONNX for the comparison, is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (translator.facts.reference.replace("@", "-") + SUFFIXES[form])
    _WRITERS[form](translator, path)
    differences = []
    for x in _photographs(translator):
        with torch.no_grad():
            differences.append((run(form, path, x) - translator.network(x)).double().flatten())
    difference = torch.cat(differences)
    largest, mean_square = float(difference.abs().max()), float(difference.square().mean())
    if not largest <= LARGEST_DIFFERENCE:
        for written in (path, path.with_suffix(".bin")):
            written.unlink(missing_ok=True)
        raise ModelError(f"{translator.facts.reference} as {form} differs from the model by up to {largest:.2g}, where "
                         f"{LARGEST_DIFFERENCE:g} is allowed, so it was not written; export to another form")
    psnr_db = math.inf if mean_square == 0 else 10 * math.log10(4 / mean_square)
    return Exported(path, largest, psnr_db, translator.in_channels, translator.multiple)


def run(form: Form, path: Path, x: Tensor) -> Tensor:
    """(1, in_channels, H, W) float32 through an exported file -> (1, out_channels, H, W) float32."""
    if form != "torchscript":
        return run_file(path, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cast("Tensor", torch.jit.load(str(path))(x))  # type: ignore[no-untyped-call] # torch gives it no types


def _onnx(translator: Translator, path: Path) -> None:
    if importlib.util.find_spec("onnx") is None:
        raise UsageError("exporting to ONNX needs the package onnx; pip install 'translate-images[openvino]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see `translate.engines._trace` for why not by `torch.export`
        torch.onnx.export(
            translator.network,
            (example(translator),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["translation"],
            dynamic_axes={name: {2: "height", 3: "width"} for name in ("image", "translation")},
        )


def _openvino(translator: Translator, path: Path) -> None:
    save(convert(translator), path)


def _torchscript(translator: Translator, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(trace(translator), str(path))


_WRITERS: dict[Form, Callable[[Translator, Path], None]] = {
    "onnx": _onnx, "openvino": _openvino, "torchscript": _torchscript,
}


def _photographs(translator: Translator) -> Iterator[Tensor]:
    """(1, C, H, W) of a shipped photograph, square and twice as wide, with sides that the network takes."""
    pixels = decode(min(shipped_folder("samples").glob("photos/*.jpg")).read_bytes()).pixels
    side = example(translator).shape[-1]
    for width in (side, 2 * side):
        yield to_channels(to_tensor(resize(pixels, side, width, how="auto")), translator.in_channels)[None]
