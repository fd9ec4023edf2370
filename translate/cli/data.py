"""`translate data`: make, fetch and check training sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console
from translate.cli._options import bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(no_args_is_help=True, help="Make, fetch and check training sets.")
prepare = typer.Typer(no_args_is_help=True, help="Make a set from what packages and folders hold.")
app.add_typer(prepare, name="prepare")

Into = Annotated[str, typer.Option(metavar="URL", help="Folder, s3://bucket/prefix/ ... to write into.")]
EndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where S3 is spoken, if not at AWS.")]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON.")]


@prepare.command("fluent-emoji")
def fluent_emoji(
    into: Into,
    size: Annotated[
        int, typer.Option(callback=bounds(16, 256), metavar="N", help="Side of the pictures in pixels.")
    ] = 128,
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
    styled: Annotated[
        int,
        typer.Option(callback=bounds(0), metavar="N", help="How often a crop is painted in a style drawn by chance."),
    ] = 2,
    seed: Annotated[int, typer.Option(callback=bounds(0), metavar="N", help="Of crops and styles.")] = 0,
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
        counts = prepare(photo_store, painting_store, store, look=weights or None, styled=styled,
                         seed=seed, report=report)
    _show(counts, into, as_json=as_json)


@prepare.command()
def redrawn(
    photos: Annotated[str, typer.Option(metavar="URL", help="Folder of photographs.")],
    paintings: Annotated[str, typer.Option(metavar="URL", help="Folder of paintings.")],
    into: Into,
    seed: Annotated[int, typer.Option(callback=bounds(0), metavar="N", help="Of styles and strokes.")] = 0,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Paintings, redrawn as photographs by a teacher, and photographs made painterly: every answer is known."""
    from translate.datasets.redrawn import prepare
    from translate.stores import open_input, open_store

    photo_store = open_input(photos, endpoint_url=endpoint_url)
    painting_store = open_input(paintings, endpoint_url=endpoint_url)
    store = open_store(into, endpoint_url=endpoint_url)
    with console.progress("redrawn", as_json=as_json) as report:
        counts = prepare(photo_store, painting_store, store, seed=seed, report=report)
    _show(counts, into, as_json=as_json)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="horse2zebra, facades, edges2shoes ...")],
    into: Into,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Web folder that has NAME.zip or NAME.tar.gz; default: the authors' server."),
    ] = None,
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """A classic set of CycleGAN or pix2pix from the web; the same command again does nothing.

    Exit code 3 if files of the archive could not be read; they are left out, and listed.
    """
    from translate.datasets.classic import INDEX
    from translate.datasets.classic import fetch as fetch_set
    from translate.errors import EXIT_ITEMS_FAILED
    from translate.stores import open_store

    store = open_store(into, endpoint_url=endpoint_url)
    with console.progress(name, as_json=as_json) as report:
        index, done = fetch_set(name, store, base_url=base_url, report=report)
    if as_json:
        console.result_json({"event": "data", "into": into, "fetched": done, **index.model_dump()})
    elif not done:
        console.result(f"{into} holds {name} already, complete; nothing to do")
    else:
        _show(index.images, into, as_json=False)
        console.result(f"archive: {index.archive_bytes:,} bytes, sha256 {index.sha256}")
        for file in index.left_out[:10]:
            console.remark(f"left out: {file.name}: {file.reason}")
        if len(index.left_out) > 10:
            console.remark(f"left out in all: {len(index.left_out)} files; {INDEX} lists them")
    if done and index.left_out:
        raise typer.Exit(EXIT_ITEMS_FAILED)


@app.command()
def check(
    url: Annotated[str, typer.Argument(metavar="URL", help="Folder, s3://bucket/prefix/ ... of the set.")],
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="The pipeline that is to be trained on it, or a YAML.")],
    endpoint_url: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List everything that is wrong with a training set, before training; exit code 3 if something is."""
    from dataclasses import asdict

    from translate.datasets.check import check as check_set
    from translate.errors import EXIT_ITEMS_FAILED
    from translate.stores import open_input
    from translate.training.resolve import resolve_training

    training = resolve_training(pipeline, [], None).training
    assert training is not None
    store = open_input(url, endpoint_url=endpoint_url)
    with console.progress("check", as_json=as_json) as report:
        checked = check_set(store, training.data, report=report)
    if as_json:
        console.result_json({"event": "check", **asdict(checked)})
    else:
        if checked.findings:
            console.table(["CODE", "WHERE", "WHAT"], [[f.code, f.where, f.message] for f in checked.findings])
        counts = ", ".join(f"{count:,} of {role}" for role, count in checked.images.items()) or "none"
        count = len(checked.findings)
        wrong = f"{count:,} thing{'' if count == 1 else 's'} wrong" if count else "nothing wrong"
        console.result(f"{wrong}; images: {counts}")
    if checked.findings:
        raise typer.Exit(EXIT_ITEMS_FAILED)


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
        console.result_json({"event": "data", "into": into, "images": counts})
        return
    console.table(["FOLDER", "IMAGES"], list(counts.items()))
    console.result(f"written to {into}")
