"""`translate schedule`: retrain whenever it is due, on this machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

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
)

if TYPE_CHECKING:
    from datetime import datetime

    from translate.errors import TranslateError
    from translate.retraining.retrain import Outcome
    from translate.retraining.schedule import Look


def schedule(
    pipeline: TrainedPipeline,
    data: TrainingSet,
    output: Retrainings = None,
    registry: Registry = None,
    workers: TrainingWorkers = None,
    device: TrainingDevice = "auto",
    set_: Overrides = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, retrain if it is due, and end: for systemd's timers "
                                       "and Kubernetes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of words.")] = False,
) -> None:
    """Retrain whenever the pipeline's `retraining` section says that it is due, until stopped.

    Times that passed while this was not running are made up for by one retraining. A retraining that broke off or was
    stopped is resumed.

    Exit codes: 2 usage, 130 and 143 stopped; with --once also 0 retrained or nothing due, 1 the training gave up,
    4 storage, 5 another retraining is at work.
    """
    from translate.cli._retrain_results import show
    from translate.errors import UsageError
    from translate.retraining.retrain import retrain
    from translate.retraining.schedule import keep_schedule, refuse_never
    from translate.training.resolve import resolve_training

    if output == "":
        raise UsageError("--output is empty; give a folder or URL, or leave it out")
    resolved = resolve_training(pipeline, set_ or [], None)
    refuse_never(resolved.retraining)
    place = output or f"./retraining/{resolved.name}"
    kept = partial(retrain, resolved, data=data, registry=registry, output=place, if_due=True, workers=workers,
                   device=device)

    def attempt() -> Outcome:
        with console.slow_progress("retraining", as_json=as_json) as listener:
            return kept(on_progress=listener)

    if once:
        show(attempt(), as_json=as_json)
        return
    config = resolved.retraining
    if as_json:
        console.result_json({"event": "scheduled", "pipeline": resolved.name, "schedule": config.schedule,
                             "new_images": config.new_images, "output": place})
    else:
        console.remark(f"retraining {resolved.name} when it is due; Ctrl-C ends it")
    keep_schedule(attempt, config, _Looks(as_json=as_json).show)


class _Looks:
    """Shows one look after the other; for people only what they do not know yet."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._known: tuple[str, ...] = ()

    def show(self, look: Look) -> None:
        """A look on stdout, or on stderr that it failed."""
        from translate.errors import LockedError, TranslateError

        then = f"looking again at {look.next_at:%Y-%m-%d %H:%M} UTC"
        if not isinstance(look.result, TranslateError):
            self._show_outcome(look.result, look.next_at, then)
        elif self._as_json or not isinstance(look.result, LockedError) or self._is_new("locked"):
            self._warn(look.result, then)

    def _show_outcome(self, outcome: Outcome, next_at: datetime, then: str) -> None:
        from translate.cli._retrain_results import show

        if self._as_json:
            show(outcome, as_json=True, next_look=next_at.isoformat())
        elif self._is_new(outcome.state, *outcome.words):
            show(outcome, as_json=False)
            console.remark(then)

    def _warn(self, error: TranslateError, then: str) -> None:
        from translate.cli._secrets import redact

        message = redact(str(error))
        if self._as_json:
            warning = {"kind": type(error).__name__, "message": message, "then": then}
            console.remark(console.json_line("warning", warning))
        else:
            console.remark(f"{message}\n{then}")

    def _is_new(self, *words: str) -> bool:
        known, self._known = self._known, words
        return words != known
