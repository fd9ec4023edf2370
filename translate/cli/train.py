"""`translate train`: train a pipeline's translator."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

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
    from translate.errors import UsageError
    from translate.registry import ModelRegistry, check_name
    from translate.stores import open_input, open_store
    from translate.training.group import check_divides
    from translate.training.memory import check_memory
    from translate.training.networks import device_of
    from translate.training.publish import publish as publish_models
    from translate.training.resolve import resolve_training
    from translate.training.roles import read_beginning
    from translate.training.workers import find_train, refuse_gpu
    from translate.yaml_text import write_yaml

    seeded = [] if seed is None else [f"train.seed={seed}"]
    resolved = resolve_training(pipeline, [*(set_ or []), *seeded], images)
    training = resolved.training
    assert training is not None
    models = ModelRegistry(registry)  # mistakes are told before the night, not after it
    if publish is not None:
        check_name(publish)
    if output == "":
        raise UsageError("--output is empty; give a folder or URL, or leave it out")
    refuse_gpu(workers, device)
    if dry_run:
        check_divides(training.batch, workers or 1)
        on = device_of(device if workers is None else "cpu")
        memory = check_memory(training, workers or 1, here=workers or 1, device=on)
        values: dict[str, Any] = resolved.model_dump(mode="json")
        if as_json:
            console.result_json({"event": "plan", **values, "memory": asdict(memory)})
        else:
            console.result(write_yaml(values).rstrip())
            console.result(f"# {memory.words()}")
        return
    run_training = find_train(workers, device)
    begin = read_beginning(from_, registry, "G_ab", generator_alone=generator_alone) if from_ else None
    place = f"./training/{resolved.name}" if output is None else output
    with console.progress("training", as_json=as_json) as listener:
        trained = run_training(training, open_input(data), open_store(place), begin=begin, minutes=minutes,
                               resume=resume == "auto", on_progress=listener, pipeline=resolved.name)
    names = publish_models(trained, resolved, models, publish, data) if publish is not None else []
    if as_json:
        console.result_json({"event": "trained", "images": trained.seen, "seconds": trained.seconds, "output": place,
                             "published": names})
        return
    console.result(f"{trained.seen} images in {duration(trained.seconds)}; samples and checkpoints: {place}")
    for published in names:
        console.result(f"published {published}")
    for published in names:
        name = published.partition("@")[0]
        pointers = models.pointers(name)
        if pointers.champion is not None or pointers.gated:
            serving = "no version" if pointers.champion is None else f"{name}@{pointers.champion}"
            console.result(f"{name} still means {serving}; to promote the new one: translate models promote "
                           f"{published}")
