"""`translate retrain`: train again, and let the new model serve if it is measurably no worse."""

from __future__ import annotations

from typing import Annotated

import typer

from translate.cli import console
from translate.cli._options import (
    Overrides,
    Registry,
    Retrainings,
    TrainedPipeline,
    TrainingDevice,
    TrainingSet,
    TrainingWorkers,
    bounds,
)


def retrain(
    pipeline: TrainedPipeline,
    data: TrainingSet,
    output: Retrainings = None,
    registry: Registry = None,
    if_due: Annotated[bool, typer.Option("--if-due", help="Only if the pipeline's schedule or new_images says so; "
                                         "one that has not ended is resumed.")] = False,
    images: Annotated[
        int | None, typer.Option(callback=bounds(1), metavar="N", help="Stop after this many images seen.")
    ] = None,
    workers: TrainingWorkers = None,
    device: TrainingDevice = "auto",
    set_: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of words.")] = False,
) -> None:
    """Train the champion's successor; it serves if it is measurably no worse. The same command resumes.

    Exit codes: 0 promoted, kept or nothing due, 1 the training gave up, 2 usage, 4 storage, 5 another retraining is at
    work, 130 and 143 stopped.
    """
    from translate.cli._retrain_results import show
    from translate.errors import UsageError
    from translate.retraining.retrain import retrain as retrain_model
    from translate.training.resolve import resolve_training

    if output == "":
        raise UsageError("--output is empty; give a folder or URL, or leave it out")
    resolved = resolve_training(pipeline, set_ or [], None)
    with console.slow_progress("retraining", as_json=as_json) as listener:
        outcome = retrain_model(
            resolved, data=data, registry=registry, output=output or f"./retraining/{resolved.name}", images=images,
            if_due=if_due, dry_run=dry_run, workers=workers, device=device, on_progress=listener,
        )
    show(outcome, as_json=as_json)
