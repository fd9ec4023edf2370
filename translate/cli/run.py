"""`translate run`: translate every image of a folder or bucket."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console
from translate.cli._options import (
    AsJsonLines,
    Device,
    DeviceChoice,
    EndpointUrl,
    Every,
    Executor,
    ExecutorName,
    FailShare,
    FramesChoice,
    GpusPerWorker,
    InputEndpointUrl,
    MaxMegapixels,
    MetricsHost,
    MetricsPort,
    OutputEndpointUrl,
    Registry,
    WorkersChoice,
    bounds,
)

if TYPE_CHECKING:
    from translate.batch.planning import Overwrite as OverwriteName
    from translate.batch.request import RunRequest
    from translate.config import Pipeline
    from translate.engines.torch import Device as DeviceName

SHIPPED_OUTPUT = "./out"
EVERY_S = 60.0
"""Between two rounds of ``--watch``."""


class Overwrite(StrEnum):
    """Values of ``--overwrite``."""

    changed = "changed"
    stale = "stale"
    never = "never"
    always = "always"


class Exif(StrEnum):
    """Values of ``--exif``."""

    drop = "drop"
    keep = "keep"


class Pixels(StrEnum):
    """Values of ``--pixels``."""

    exact = "exact"
    compat = "compat"


def run(
    pipeline: Annotated[
        str | None, typer.Option(metavar="NAME", help="A shipped pipeline's name, or a YAML file.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--input", metavar="URL", help="Folder or URL; default: shipped samples.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(metavar="URL", help=f"Folder or URL; default: {SHIPPED_OUTPUT}.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="NAME@VERSION, a folder, or a .pth file; default: the pipeline's."),
    ] = None,
    registry: Registry = None,
    executor: Executor = ExecutorName.auto,
    workers: WorkersChoice = None,
    gpus_per_worker: GpusPerWorker = 0.0,
    limit: Annotated[
        int | None, typer.Option(callback=bounds(1), metavar="N", help="At most so many images in this run.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            callback=bounds(1), metavar="N",
            help="Only so many images, evenly spread: a look before the rest is paid for.",
        ),
    ] = None,
    overwrite: Annotated[
        Overwrite,
        typer.Option(metavar="WHAT", help="What to do again: changed sources; stale: also other work; never; always."),
    ] = Overwrite.changed,
    endpoint_url: EndpointUrl = None,
    input_endpoint_url: InputEndpointUrl = None,
    output_endpoint_url: OutputEndpointUrl = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only keys that match this pattern (repeatable).")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Without keys that match this pattern (repeatable).")
    ] = None,
    keys: Annotated[str | None, typer.Option(metavar="FILE", help="Exactly the keys in this file, one a line.")] = None,
    device: DeviceChoice = Device.auto,
    engine: Annotated[
        str, typer.Option(metavar="auto|NAME", help="What computes, e.g. openvino-int8; auto: the fastest, measured.")
    ] = "auto",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="native|N",
            help="Working size: the image's own, or its short side in pixels; outputs have the input's size.",
        ),
    ] = None,
    image_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="Format of the outputs, e.g. png, jpg, avif; keep: by the input's name."
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            callback=bounds(1, 100), metavar="N", help="Quality of JPEG and other lossy formats, 1-100; default: 92."
        ),
    ] = None,
    exif: Annotated[
        Exif | None,
        typer.Option(metavar="WHAT", help="EXIF of the source, with place and owner: keep, or drop (the default)."),
    ] = None,
    pixels: Annotated[
        Pixels | None,
        typer.Option(
            metavar="HOW",
            help="exact (the default), or compat: as the test script of pytorch-CycleGAN-and-pix2pix, 256 x 256.",
        ),
    ] = None,
    max_megapixels: MaxMegapixels = None,
    frames: FramesChoice = None,
    fail_share: FailShare = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Do not end: translate what arrives, until stopped.")] = False,
    every: Every = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    as_json: AsJsonLines = False,
) -> None:
    """Translate every image under --input into --output.

    Run it again and it translates only what is new or has changed. After a run that was killed or stopped, the same
    command resumes that run.

    Exit codes: 0 done, 2 usage, 3 too many images failed, 4 storage, 5 another run writes there, 130 and 143
    stopped.
    """
    from translate.batch.executor import engine_of_workers
    from translate.batch.run import prepare
    from translate.batch.workers import parse_workers
    from translate.cli import _run_results as results
    from translate.cli._prometheus import measured
    from translate.cli._running import do, show_end

    every_s = _every(every, watch=watch, again=keys is None and sample is None and not dry_run
                     and overwrite is not Overwrite.always)
    crew = parse_workers(workers, gpus_per_worker)
    flags = {
        "size": _size(size),
        "format": image_format,
        "quality": quality,
        "exif": exif and exif.value,
        "pixels": pixels and pixels.value,
        "max_megapixels": max_megapixels,
        "frames": frames and frames.value,
        "fail_share": fail_share,
    }
    request = _request(
        pipeline,
        model,
        {name: value for name, value in flags.items() if value is not None},
        source=source,
        output=output,
        keys=keys,
        include=include,
        exclude=exclude,
        limit=limit,
        sample=sample,
        endpoints=(
            endpoint_url if input_endpoint_url is None else input_endpoint_url,
            endpoint_url if output_endpoint_url is None else output_endpoint_url,
        ),
        overwrite=overwrite.value,
        registry_url=registry,
        device=device.value,
        engine=engine,
    )
    if watch:
        from translate.cli._watching import watch_input

        with measured(metrics_host, metrics_port, as_json=as_json) as meter:
            watch_input(request, executor.value, crew, every_s, meter, as_json=as_json)
    with (
        measured(metrics_host, metrics_port, as_json=as_json) as meter,
        console.progress(request.pipeline or request.model, as_json=as_json) as listener,
    ):
        picked, engine_there = engine_of_workers(executor.value, crew, device.value)
        request = replace(request, device=picked, engine=engine_there)
        prepared = prepare(request, listener, plan_only=dry_run)
        results.refuse_empty(prepared)
        results.show_engine(prepared, as_json=as_json)
        if prepared.begun is not None and not dry_run:
            results.show_begun(prepared.begun, as_json=as_json)
        ended, stopped_by = None, 0
        if not prepared.is_empty and not dry_run:
            ended, stopped_by = do(prepared, executor.value, crew, listener, meter, as_json=as_json)
    if dry_run:
        results.show_plan(prepared, as_json=as_json)
    elif ended is None:
        results.show_nothing(prepared, as_json=as_json)
    else:
        show_end(ended, stopped_by, prepared.job.settings.fail_share, as_json=as_json)


def _every(every: float | None, *, watch: bool, again: bool) -> float:
    """Seconds between the rounds of a watch; ``again`` is whether a second round can make sense."""
    from translate.errors import UsageError

    if every is not None and not watch:
        raise UsageError("--every is the pause between the rounds of --watch: give that too")
    if watch and not again:
        raise UsageError("--watch translates what arrives, so it does not go with --keys, --sample, --dry-run or "
                         "--overwrite always, which would do the same again in every round")
    return EVERY_S if every is None else every


def _size(text: str | None) -> str | int | None:
    from translate.config import LEAST_SIZE_PX
    from translate.errors import UsageError

    if text is None or text == "native":
        return text
    if not text.isdecimal() or int(text) < LEAST_SIZE_PX:
        raise UsageError(
            f"--size must be native or the short side in pixels, {LEAST_SIZE_PX} or more, such as 512; got {text!r}"
        )
    return int(text)


def _request(
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
    sample: int | None,
    endpoints: tuple[str | None, str | None],
    overwrite: OverwriteName,
    registry_url: str | None,
    device: DeviceName,
    engine: str,
) -> RunRequest:
    """Everything that was asked for; contradictions end here.

    An empty text is a mistake (a variable that is not set, most likely), never the default.
    """
    from translate.batch.planning import Selection, parse_keys
    from translate.batch.request import RunRequest
    from translate.config import Run, load_pipeline, validate
    from translate.errors import UsageError
    from translate.stores import open_input, open_output

    chosen = load_pipeline(pipeline) if pipeline is not None else None
    if chosen is None and model is None:
        raise UsageError("nothing to run: give --pipeline NAME (see `translate pipelines list`) or --model")
    if model == "":
        raise UsageError("--model is empty; give NAME@VERSION, a folder, or a .pth file")
    reference = model or (chosen and chosen.model)
    if not reference:
        raise UsageError(f"pipeline {pipeline!r} has no model yet; train one, or give --model")
    if sample is not None and limit is not None:
        raise UsageError("--sample and --limit exclude each other: the first takes images from all over the input, the "
                         "other the next ones in order")
    settings = chosen.run if chosen else Run()
    listed = parse_keys(_read(keys)) if keys is not None else None
    return RunRequest(
        pipeline=chosen.name if chosen else "",
        source=open_input(_samples(chosen) if source is None else source, endpoint_url=endpoints[0]),
        output=open_output(SHIPPED_OUTPUT if output is None else output, endpoint_url=endpoints[1]),
        model=reference,
        settings=validate(Run, {**settings.model_dump(), **changes}, "the run's settings"),
        selection=Selection(tuple(include or ()), tuple(exclude or ()), listed, limit, sample),
        overwrite=overwrite,
        registry_url=registry_url,
        device=device,
        choice=engine,
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
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"cannot read the keys in {path!r}: {reason}; give a text file in UTF-8 with one key a line"
        ) from error
