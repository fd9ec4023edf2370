"""`translate models export`: a model in the form of another runtime."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from translate.cli import console
from translate.cli._options import Registry


class Form(StrEnum):
    """Values of ``--to``."""

    onnx = "onnx"
    openvino = "openvino"
    torchscript = "torchscript"


def export(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="NAME or NAME@VERSION, a folder, or a .pth file.")],
    to: Annotated[Form, typer.Option(help="The form to write.")],
    into: Annotated[str, typer.Option(metavar="FOLDER", help="Where to write it.")],
    registry: Registry = None,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON.")] = False,
) -> None:
    """Write a model for another runtime, with dynamic height and width, and check that it gives the same."""
    import math

    from translate.library import verbs

    exported = verbs.export_model(name, to.value, into, registry=registry)
    if as_json:
        console.result_json({
            "event": "exported", "path": str(exported.path), "multiple": exported.multiple,
            "largest_difference": exported.largest_difference,
            "psnr_db": exported.psnr_db if math.isfinite(exported.psnr_db) else None,  # JSON has no infinity
        })
        return
    console.result(f"{exported.path}: takes (1, {exported.in_channels}, H, W) float32 in [-1, 1], H and W multiples "
                   f"of {exported.multiple}")
    console.result(f"on a photograph at most {exported.largest_difference:.2g} from the model, "
                   f"{exported.psnr_db:.1f} dB PSNR")
