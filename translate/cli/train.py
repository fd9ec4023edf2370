"""`translate train`: train a pipeline's translator."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from translate.cli import console
from translate.cli._options import (
    Overrides,
    Registry,
    TrainedPipeline,
    TrainingDevice,
    TrainingSet,
    TrainingWorkers,
    bounds,
)
from translate.progress import duration

if TYPE_CHECKING:
    from translate.library.verbs import TrainingDone, TrainingPlan


def train(
    pipeline: TrainedPipeline,
    data: TrainingSet,
    output: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where checkpoints and sample sheets go; default: ./training/<pipeline>."),
    ] = None,
    images: Annotated[
        int | None, typer.Option(callback=bounds(1), metavar="N", help="Stop after this many images seen.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(callback=bounds(0.01), metavar="N", help="Stop after this much training time in all."),
    ] = None,
    publish: Annotated[str | None, typer.Option(metavar="NAME", help="Publish the result under this name.")] = None,
    registry: Registry = None,
    resume: Annotated[Literal["auto", "never"], typer.Option(help="Resume from the last checkpoint, or not.")] = "auto",
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="Begin from a published model, NAME@VERSION, with all roles of its "
                                                    "game; or from the generator in a .pth file."),
    ] = None,
    generator_alone: Annotated[
        bool, typer.Option("--generator-alone", help="Of --from: the generator without its game, so that the "
                                                     "discriminator begins anew and may be another.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(callback=bounds(0), metavar="N", help="Seed of weights, order, crops; default: the pipeline's."),
    ] = None,
    workers: TrainingWorkers = None,
    device: TrainingDevice = "auto",
    set_: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved configuration and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of words.")] = False,
) -> None:
    """Train a translator; the same command again resumes it, and publishes once.

    Exit codes: 0 done, 1 the training gave up, 2 usage, 4 storage, 130 and 143 stopped.
    """
    from translate.library import verbs

    if dry_run:
        _show_plan(verbs.plan_training(pipeline, output=output, images=images, publish=publish, registry=registry,
                                       seed=seed, workers=workers, device=device, set_=set_ or ()), as_json=as_json)
        return
    with console.progress("training", as_json=as_json) as listener:
        done = verbs.train(
            pipeline, data, output=output, images=images, minutes=minutes, publish=publish, registry=registry,
            resume=resume, from_=from_, generator_alone=generator_alone, seed=seed, workers=workers, device=device,
            set_=set_ or (), progress=listener,
        )
    if as_json:
        console.result_json({"event": "trained", **asdict(done)})
    else:
        _show(done, registry)


def _show_plan(plan: TrainingPlan, *, as_json: bool) -> None:
    from translate.yaml_text import write_yaml

    values: dict[str, Any] = plan.resolved.model_dump(mode="json")
    if as_json:
        console.result_json({"event": "plan", **values, "memory": asdict(plan.memory)})
    else:
        console.result(write_yaml(values).rstrip())
        console.result(f"# {plan.memory.words()}")


def _show(done: TrainingDone, registry: str | None) -> None:
    from translate.registry import ModelRegistry

    console.result(f"{done.images} images in {duration(done.seconds)}; samples and checkpoints: {done.output}")
    for published in done.published:
        console.result(f"published {published}")
    models = ModelRegistry(registry)
    for published in done.published:
        name = published.partition("@")[0]
        pointers = models.pointers(name)
        if pointers.champion is not None or pointers.gated:
            serving = "no version" if pointers.champion is None else f"{name}@{pointers.champion}"
            console.result(f"{name} still means {serving}; to promote the new one: translate models promote "
                           f"{published}")
