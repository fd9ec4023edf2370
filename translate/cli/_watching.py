"""`translate run --watch`: the same job again and again, for what has arrived."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import typer

from translate.batch.executor import engine_of_workers
from translate.batch.notebook import Notebook
from translate.batch.run import prepare
from translate.batch.watch import Pause, fingerprint, settled
from translate.cli import console
from translate.cli._run_results import show_begun, show_engine
from translate.cli._running import do, show_end
from translate.cli._secrets import redact
from translate.errors import ItemsFailedError, LockedError, TranslateError, UnavailableError
from translate.pages.template import readable
from translate.progress import duration, silent

if TYPE_CHECKING:
    from translate.batch.meter import Meter
    from translate.batch.request import RunRequest
    from translate.batch.run import Prepared
    from translate.batch.workers import Workers


def watch_input(
    request: RunRequest, executor: str, workers: Workers, every_s: float, meter: Meter, *, as_json: bool
) -> NoReturn:
    """Do rounds of a job, ``every_s`` seconds apart, until a signal or a mistake ends it.

    A store that cannot be reached and another run at work are waited for; the rest of what a run raises ends it.
    """
    device, engine = engine_of_workers(executor, workers, request.device)
    job = replace(request, source=settled(request.source), device=device, engine=engine)
    url = job.source.url
    if as_json:
        console.result_json({"event": "watching", "input_url": url, "every_seconds": every_s})
    else:
        console.remark(f"watching {readable(url)}; Ctrl-C ends it")
    rounds, pause, was_locked = _Rounds(job, executor, workers, meter, as_json=as_json), Pause(every_s), False
    while True:
        try:
            pause.note(trouble=not rounds.do())
            was_locked = False
        except LockedError as error:
            if not was_locked:
                _wait(error, "watching until it has ended", as_json=as_json)
            was_locked = True
        except UnavailableError as error:
            pause.note(trouble=True)
            _wait(error, f"trying again in {duration(pause.seconds)}", as_json=as_json)
            was_locked = False
        time.sleep(pause.seconds)


class _Rounds:
    """One round after the other."""

    def __init__(self, job: RunRequest, executor: str, workers: Workers, meter: Meter, *, as_json: bool) -> None:
        self._job, self._executor, self._workers, self._meter, self._as_json = job, executor, workers, meter, as_json
        self._is_first = True
        self._notebook = Notebook()
        """What finished runs did is read once, however many rounds there will be."""
        self._idle_at = ""
        """Fingerprint of the input when nothing was to do; neither model nor output are looked at until it changes."""

    def do(self) -> bool:
        """Do what there is to do; False if something was, but no image was translated."""
        now = fingerprint(self._job.source, self._job.selection)
        if now != self._idle_at:
            prepared = self._prepare()
            if not prepared.is_empty:
                return self._translate(prepared)
            self._idle_at = now
        self._meter.succeed()
        if self._as_json:
            console.result_json({"event": "nothing_to_do"})
        return True

    def _prepare(self) -> Prepared:
        """Only the first planning is shown: it may be the one over millions of images."""
        first, self._is_first = self._is_first, False
        shown = console.slow_progress("planning", as_json=self._as_json) if first else nullcontext(silent)
        with shown as listener:
            return prepare(self._job, listener, notebook=self._notebook)

    def _translate(self, prepared: Prepared) -> bool:
        show_engine(prepared, as_json=self._as_json)
        if prepared.begun is not None:
            show_begun(prepared.begun, as_json=self._as_json)
        with console.progress(self._job.pipeline or self._job.model, as_json=self._as_json) as listener:
            ended, stopped_by = do(
                prepared, self._executor, self._workers, listener, self._meter, as_json=self._as_json
            )
        try:
            show_end(ended, stopped_by, prepared.job.settings.fail_share, as_json=self._as_json)
        except ItemsFailedError as error:
            _wait(error, "watching on", as_json=self._as_json)
        if stopped_by:  # too late to stop the run, in time for the next
            raise typer.Exit(128 + stopped_by)
        return ended.totals.ok > 0


def _wait(error: TranslateError, then: str, *, as_json: bool) -> None:
    """Say why a round did not do all, and what comes now."""
    message = redact(str(error))
    if as_json:
        kind = type(error).__name__
        console.remark(console.json_line("warning", {"kind": kind, "message": message, "then": then}))
    else:
        console.remark(f"{message}\n{then}")
