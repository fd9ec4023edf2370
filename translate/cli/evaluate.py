"""`translate evaluate`: figures of a model on test images."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console
from translate.cli._evaluation_set import HeldOutOf, Layout, Paired, Pairs, Source, Target, WorkingSize
from translate.cli._figures import better, figure
from translate.metrics.contract import metrics as known_metrics

if TYPE_CHECKING:
    from translate.metrics.evaluate import Evaluation
    from translate.metrics.subsets import Estimate


def evaluate(
    model: Annotated[str, typer.Option(metavar="NAME@VERSION", help="A model of the registry, or a path.")],
    data: Annotated[str, typer.Option(metavar="URL", help="Folder, s3://bucket/prefix/ ... of the set.")],
    pipeline: HeldOutOf = None,
    layout: Layout = "folders",
    source: Source = None,
    target: Target = None,
    pairs: Pairs = None,
    paired: Paired = False,
    real: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Other real images of the target domain: what they score is shown."),
    ] = None,
    size: WorkingSize = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="LIST", help=f"Some of {', '.join(known_metrics())}, with commas between. Default: all "
                                          "that apply, but those that need thousands of images."),
    ] = None,
    judge: Annotated[
        str,
        typer.Option(metavar="NAME", help="Feature network: efficientnet-lite0, mobilenet-v2, or with torchvision's "
                                          "weights inception-v3=FILE, vgg16=FILE."),
    ] = "efficientnet-lite0",
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
    from translate.library import verbs

    chosen = None if metrics is None else [name.strip() for name in metrics.split(",")]
    with console.progress("evaluate", as_json=as_json) as report:
        found = verbs.evaluate(
            model, data, pipeline=pipeline, layout=layout, source=source, target=target, pairs=pairs, paired=paired,
            real=real, size=size, metrics=chosen, judge=judge, registry=registry, endpoint_url=endpoint_url,
            progress=report,
        )
    if as_json:
        console.result_json({"event": "evaluation", **asdict(found)})
    else:
        _show(found)


def _show(found: Evaluation) -> None:
    columns = {"DOING NOTHING": found.nothing, "MEAN COLOUR": found.mean_colour, found.model: found.output}
    shown = {title: figures for title, figures in columns.items() if figures is not None}
    rows = [[name, *(_estimate(figures.distances[name]) for figures in shown.values()), better(name)]
            for name in found.output.distances]
    rows += [[name, *(f"{figures.means[name]:.4f}" if name in figures.means else "" for figures in shown.values()),
              better(name)] for name in found.output.means]
    console.table(["MEASURE", *shown, "BETTER"], rows)
    console.result("")
    for name, floor in found.floor.items():
        told = "; a KID near that can't be told from real" if name.startswith("kid") else ""
        console.result(f"Real against real: halves of the {found.target_images} target images score "
                       f"{_estimate(floor)} in {name}{told}.")
    for name, value in found.real.items():
        console.result(f"Other real images score {value:.4f} in {name} against the target images.")
    for remark in found.remarks:
        console.result(remark)
    judged = f", judged by {found.judge}" if found.judge else ""
    console.result(f"{found.source_images} images at {found.size_px} px{judged}.")


def _estimate(found: Estimate) -> str:
    return figure(found.value, found.spread)
