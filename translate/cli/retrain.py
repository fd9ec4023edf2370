"""`translate retrain`: train again, and let the new model serve if it is measurably no worse."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from translate.cli import console


def retrain(
    pipeline: Annotated[str, typer.Option(help="Name of a shipped pipeline, or the path of a YAML.")],
    data: Annotated[str, typer.Option(help="Folder or URL that holds the folders named under training.data.")],
    output: Annotated[
        str | None, typer.Option(help="Where all retrainings of this model write [./retraining/<pipeline>].")
    ] = None,
    registry: Annotated[str | None, typer.Option(help="Registry URL [TRANSLATE_REGISTRY, else ./models].")] = None,
    if_due: Annotated[bool, typer.Option("--if-due", help="Only if the pipeline's schedule or new_images says so; "
                                         "one that has not ended is gone on with.")] = False,
    images: Annotated[int | None, typer.Option(min=1, help="Stop after this many images seen.")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: a CUDA GPU if there is one.")] = "auto",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a value, e.g. train.batch=4.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of words.")] = False,
) -> None:
    """Train the champion's successor; it serves if it is measurably no worse. The same command goes on."""
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
            if_due=if_due, dry_run=dry_run, device=device, on_progress=listener,
        )
    show(outcome, as_json=as_json)
