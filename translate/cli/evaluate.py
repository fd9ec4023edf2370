"""`translate evaluate`: figures of a model on test images."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console

if TYPE_CHECKING:
    from translate.metrics.evaluate import Evaluation

_BETTER = {
    "layer_distance": "lower", "l1": "lower", "psnr_db": "higher", "ssim": "higher",
    "edge_agreement": "higher keeps more", "distance_to_source": "lower keeps more", "checkerboard_db": "near 0",
}


def evaluate(
    model: Annotated[str, typer.Option(metavar="NAME@VERSION", help="A model of the registry, or a path.")],
    data: Annotated[str, typer.Option(metavar="URL", help="Folder, s3://bucket/prefix/ ... of the set.")],
    source: Annotated[str, typer.Option(metavar="FOLDER", help="Test images to translate, inside the set.")],
    target: Annotated[str, typer.Option(metavar="FOLDER", help="Test images of the target domain.")],
    paired: Annotated[
        bool, typer.Option("--paired", help="Target images are the answers to the source images of the same name.")
    ] = False,
    real: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Other real images of the target domain: what they score is shown."),
    ] = None,
    size: Annotated[int, typer.Option(min=32, help="Working size in pixels: centre squares of this side.")] = 128,
    registry: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="TRANSLATE_REGISTRY", help="Where models are published."),
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where S3 is spoken, if not at AWS.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Score a model on test images, beside doing nothing and beside real images."""
    from translate.metrics.evaluate import evaluate as score
    from translate.registry import open_model
    from translate.stores import open_input

    translator = open_model(model, registry)
    store = open_input(data, endpoint_url=endpoint_url)
    with console.progress("evaluate", as_json=as_json) as report:
        found = score(translator, store, source=source, target=target, pairs=paired, size_px=size, real=real,
                      report=report)
    if as_json:
        console.result_json(_finite(asdict(found)))
    else:
        _show(found)


def _show(found: Evaluation) -> None:
    output, nothing = found.output, found.nothing
    rows = [[f"kid-{found.judge}", f"{nothing.kid.value:.4f} ± {nothing.kid.spread:.4f}",
             f"{output.kid.value:.4f} ± {output.kid.spread:.4f}", "lower"]]
    rows += [[name, f"{nothing.means[name]:.4f}", f"{value:.4f}", _BETTER[name]]
             for name, value in output.means.items()]
    console.table(["MEASURE", "DOING NOTHING", found.model, "BETTER"], rows)
    console.result(f"\nReal against real: halves of the {found.target_images} target images score "
                   f"{found.floor.value:.4f} ± {found.floor.spread:.4f}; a KID near that can't be told from real.")
    if found.real_kid is not None:
        console.result(f"Other real images score {found.real_kid:.4f} against the target images.")
    console.result(f"{found.source_images} images at {found.size_px} px.")


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """JSON has no infinity (the PSNR of equal images): null in its place."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
