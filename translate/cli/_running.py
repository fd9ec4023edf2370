"""Doing a prepared job on the command line: signals while it runs, and the exit code of its end."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from translate.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from translate.batch.meter import Meter
    from translate.batch.run import Ended, Prepared
    from translate.batch.workers import Workers
    from translate.progress import Listener
    from translate.provenance import RunSummary


def do(
    prepared: Prepared,
    executor: str,
    workers: Workers,
    listener: Listener,
    meter: Meter | None = None,
    *,
    as_json: bool,
) -> tuple[Ended, int]:
    """Do the job; returns how it ended, and the signal that stopped it or 0."""
    from translate.batch.run import run as run_job

    with _signals(as_json=as_json) as caught:
        ended = run_job(prepared, executor, workers, listener, lambda: bool(caught), meter)
    return ended, caught[0] if caught else 0


def show_end(ended: Ended, stopped_by: int, fail_share: float, *, as_json: bool) -> None:
    """Say how a run ended; raises `typer.Exit` if a signal stopped it, `ItemsFailedError` if too many failed."""
    from translate.cli import _run_results as results

    if ended.summary is None:
        results.show_stopped(ended, as_json=as_json)
        raise typer.Exit(128 + stopped_by)
    results.show_summary(ended, as_json=as_json)
    _refuse_failures(ended.summary, fail_share)


def _refuse_failures(summary: RunSummary, fail_share: float) -> None:
    from translate.errors import ItemsFailedError

    if summary.failed_share > fail_share:
        raise ItemsFailedError(
            f"{summary.failed} of {summary.planned} images failed, more than the share of {fail_share:g} that is "
            "allowed. The report says which and why; --fail-share allows more"
        )


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
