"""`translate run`: translate every image of a folder or bucket."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from translate.batch.job import Job, Prepared
    from translate.batch.planning import Overwrite as OverwriteName
    from translate.config import Pipeline
    from translate.engines.torch import Device as DeviceName

SHIPPED_OUTPUT = "./out"


class ExecutorName(StrEnum):
    """Values of ``--executor``."""

    auto = "auto"
    local = "local"
    ray = "ray"


class Overwrite(StrEnum):
    """Values of ``--overwrite``."""

    changed = "changed"
    stale = "stale"
    never = "never"
    always = "always"


class Device(StrEnum):
    """Values of ``--device``."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Format(StrEnum):
    """Values of ``--format``."""

    keep = "keep"
    png = "png"
    jpeg = "jpeg"
    webp = "webp"


class Pixels(StrEnum):
    """Values of ``--pixels``."""

    exact = "exact"
    compat = "compat"


def run(
    pipeline: Annotated[str | None, typer.Option(help="A shipped pipeline's name, or a YAML file.")] = None,
    source: Annotated[str | None, typer.Option("--input", help="Folder or URL; default: shipped samples.")] = None,
    output: Annotated[str | None, typer.Option(help=f"Folder or URL; default: {SHIPPED_OUTPUT}.")] = None,
    model: Annotated[
        str | None, typer.Option(help="NAME@VERSION, a folder, or a .pth file; default: the pipeline's.")
    ] = None,
    registry: Annotated[
        str | None, typer.Option(help="Where models are; default TRANSLATE_REGISTRY, ./models.")
    ] = None,
    executor: Annotated[
        ExecutorName, typer.Option(help="auto: ray for several workers or many images, if installed; else local.")
    ] = ExecutorName.auto,
    workers: Annotated[int | None, typer.Option(min=1, help="Models at work at once; more than one needs Ray.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many images in this run.")] = None,
    overwrite: Annotated[
        Overwrite,
        typer.Option(help="Redo: changed sources; also stale work; never (fill gaps only); always (all)."),
    ] = Overwrite.changed,
    endpoint_url: Annotated[str | None, typer.Option(help="S3 endpoint of both sides.")] = None,
    input_endpoint_url: Annotated[str | None, typer.Option(help="S3 endpoint of the input.")] = None,
    output_endpoint_url: Annotated[str | None, typer.Option(help="S3 endpoint of the output.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Only keys that match this glob (repeatable).")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not the keys that match this glob (repeatable).")] = None,
    keys: Annotated[str | None, typer.Option(metavar="FILE", help="Exactly these keys, one a line.")] = None,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.auto,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="native|N",
            help="Working size: the image's own, or its short side in pixels; outputs have the input's size.",
        ),
    ] = None,
    image_format: Annotated[
        Format | None, typer.Option("--format", help="Of the outputs; keep: as the input is named.")
    ] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of JPEG and WebP; default 92.")] = None,
    pixels: Annotated[
        Pixels | None,
        typer.Option(help="compat: as the pytorch-CycleGAN-and-pix2pix test script, 256 x 256."),
    ] = None,
    fail_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit 3 if a larger share of the images failed; default 0.05.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines: the result on stdout, progress and errors on stderr.")
    ] = False,
) -> None:
    """Translate every image under --input into --output.

    Run it again and it translates what is new or has changed.

    Exit codes: 0 done, 2 usage, 3 too many images failed, 4 storage, 130 and 143 stopped.
    """
    from translate.batch.job import prepare
    from translate.cli import _run_results as results

    flags = {
        "size": _size(size),
        "format": image_format and image_format.value,
        "quality": quality,
        "pixels": pixels and pixels.value,
        "fail_share": fail_share,
    }
    job = _job(
        pipeline,
        model,
        {name: value for name, value in flags.items() if value is not None},
        source=source,
        output=output,
        keys=keys,
        include=include,
        exclude=exclude,
        limit=limit,
        endpoints=(input_endpoint_url or endpoint_url, output_endpoint_url or endpoint_url),
        overwrite=overwrite.value,
        registry_url=registry,
        device=device.value,
    )
    prepared = prepare(job)
    if dry_run:
        results.show_plan(prepared, as_json=as_json)
        return
    if not prepared.plan.items:
        results.show_nothing(prepared, as_json=as_json)
        return
    code = _run(prepared, executor.value, workers, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _size(text: str | None) -> str | int | None:
    from translate.errors import UsageError

    if text is None or text == "native":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--size must be native or the short side in pixels, such as 512; got {text!r}")
    return int(text)


def _job(
    pipeline: str | None,
    model: str | None,
    changes: dict[str, Any],
    *,
    source: str | None,
    output: str | None,
    keys: str | None,
    include: list[str] | None,
    exclude: list[str] | None,
    limit: int | None,
    endpoints: tuple[str | None, str | None],
    overwrite: OverwriteName,
    registry_url: str | None,
    device: DeviceName,
) -> Job:
    """Everything that was asked for; contradictions end here."""
    from translate.batch.job import Job
    from translate.batch.planning import Selection, parse_keys
    from translate.config import Run, load_pipeline, validate
    from translate.errors import UsageError
    from translate.stores import open_input, open_store

    chosen = load_pipeline(pipeline) if pipeline else None
    reference = model or (chosen and chosen.model)
    if chosen is None and model is None:
        raise UsageError("nothing to run: give --pipeline NAME (see `translate pipelines list`) or --model")
    if not reference:
        raise UsageError(f"pipeline {pipeline!r} has no model yet; train one, or give --model")
    settings = chosen.run if chosen else Run()
    listed = parse_keys(_read(keys)) if keys else None
    return Job(
        pipeline=chosen.name if chosen else "",
        source=open_input(source or _samples(chosen), endpoint_url=endpoints[0]),
        output=open_store(output or SHIPPED_OUTPUT, endpoint_url=endpoints[1]),
        model=reference,
        settings=validate(Run, {**settings.model_dump(), **changes}, "the run's settings"),
        selection=Selection(tuple(include or ()), tuple(exclude or ()), listed, limit),
        overwrite=overwrite,
        registry_url=registry_url,
        device=device,
        same_place=endpoints[0] == endpoints[1] or "://" not in (source or "") + (output or ""),
    )


def _samples(pipeline: Pipeline | None) -> str:
    from translate.errors import UsageError
    from translate.shipped import shipped_folder

    if pipeline is None or pipeline.samples is None:
        raise UsageError("no samples are shipped for this; give --input FOLDER or URL")
    return str(shipped_folder("samples") / pipeline.samples)


def _read(path: str) -> str:
    from pathlib import Path

    from translate.errors import UsageError

    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the keys in {path!r}: {error}") from error


def _run(prepared: Prepared, executor: str, workers: int | None, *, as_json: bool) -> int:
    from translate.batch.job import run as run_job
    from translate.cli import _run_results as results
    from translate.errors import EXIT_ITEMS_FAILED, EXIT_OK

    title = prepared.job.pipeline or prepared.task.work.model
    with _signals(as_json=as_json) as caught, console.progress(title, as_json=as_json) as listener:
        ended = run_job(prepared, executor, workers, listener, lambda: bool(caught))
    if ended.summary is None:
        results.show_stopped(ended, as_json=as_json)
        return 128 + caught[0]
    results.show_summary(ended, as_json=as_json)
    return EXIT_ITEMS_FAILED if ended.summary.failed_share > prepared.job.settings.fail_share else EXIT_OK


@contextmanager
def _signals(*, as_json: bool) -> Iterator[list[int]]:
    """Signals caught until the block ends: the first SIGINT or SIGTERM is noted, the next acts as it did
    before."""
    caught: list[int] = []
    before: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        for known, handler in before.items():
            signal.signal(known, handler)
        if not as_json:
            console.remark("stopping: what is in hand is finished and recorded; once more stops at once")

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, note)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
