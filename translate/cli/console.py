"""What the command line shows: results on stdout, progress and remarks on stderr.

Nothing here knows what is being done; verbs pass the listener of `progress` to the library.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from translate.progress import duration, rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from translate.progress import Listener, Progress

PLAIN_EVERY_S = 5.0
JSON_EVERY_S = 1.0
QUIET_S = 2.0


def result(text: str) -> None:
    """A result for people, on stdout."""
    typer.echo(text)


def result_json(value: Mapping[str, Any]) -> None:
    """A result for machines: one line of JSON on stdout, see `json_line`; its ``event`` may stand in ``value``."""
    typer.echo(json_line("result", value))


def json_line(event: str, value: Mapping[str, Any]) -> str:
    """An event as one line of JSON: ``event``, ``time`` (UTC, ISO 8601, milliseconds), and what ``value`` holds.

    JSON has no infinity (the PSNR of equal images) and no nan (a loss): null in their places.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps(_finite({"event": event, "time": now, **value}), sort_keys=True, allow_nan=False)


def remark(text: str) -> None:
    """A remark that is not a result, on stderr."""
    typer.echo(text, err=True)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """An aligned table on stdout; numbers to the right. Without lines or cuts, so that it can be piped on."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(padded).rstrip()

    typer.echo(typer.style(line(header), bold=True))
    for row in cells:
        typer.echo(line(row))


@contextmanager
def progress(title: str, *, as_json: bool = False) -> Iterator[Listener]:
    """A listener that shows progress on stderr until the block ends, from any thread.

    A bar with rate and time left on a terminal; elsewhere a plain line every few seconds, or with ``as_json``
    a line of JSON. The last state is always shown.
    """
    if sys.stderr.isatty() and not as_json:
        with _bar(title) as listener:
            yield listener
        return
    lines = _Lines(title, _json_line if as_json else _plain_line, JSON_EVERY_S if as_json else PLAIN_EVERY_S)
    try:
        yield lines.report
    finally:
        lines.close()


@contextmanager
def slow_progress(title: str, *, as_json: bool = False) -> Iterator[Listener]:
    """The same for work that is mostly over before it would be read: silent for the first `QUIET_S` seconds."""
    start_s = time.monotonic()
    with progress(title, as_json=as_json) as listener:
        yield lambda state: listener(state) if time.monotonic() - start_s > QUIET_S else None


class Pace:
    """How fast the work goes, from its reports: time counts from the last one before anything was done, so that
    workers that take a minute to start do not make the time left look long."""

    def __init__(self, first: Progress, now_s: float) -> None:
        self.unit = first.unit
        self._done = first.done
        self._start_s = now_s

    def begins_anew(self, state: Progress) -> bool:
        """Whether a report calls for another pace: other units, or nothing done yet."""
        return state.unit != self.unit or state.done == self._done

    def per_second(self, state: Progress, now_s: float) -> float | None:
        """Units a second, None as long as nothing can be said."""
        seconds = now_s - self._start_s
        done = state.done - self._done
        return done / seconds if seconds > 0 and done > 0 else None

    def seconds_left(self, state: Progress, now_s: float) -> float | None:
        """Seconds until the total is reached at this pace, None if unknown."""
        rate = self.per_second(state, now_s)
        return (state.total - state.done) / rate if rate and state.total is not None else None


class _Lines:
    """Writes a line on stderr at most every ``every_s`` seconds, and the last state when closed."""

    def __init__(
        self, title: str, form: Callable[[str, Progress, float | None, float | None], str], every_s: float
    ) -> None:
        self._title, self._form, self._every_s = title, form, every_s
        self._lock = threading.Lock()
        self._pace: Pace | None = None
        self._latest: Progress | None = None
        self._written: Progress | None = None
        self._written_s = time.monotonic()

    def report(self, state: Progress) -> None:
        """Take a report."""
        with self._lock:
            now_s = time.monotonic()
            if self._pace is None or self._pace.begins_anew(state):
                self._pace = Pace(state, now_s)
            self._latest = state
            if now_s - self._written_s >= self._every_s:
                self._write(now_s)

    def close(self) -> None:
        """Show the last state, if it was not shown yet."""
        with self._lock:
            if self._latest is not self._written:
                self._write(time.monotonic())

    def _write(self, now_s: float) -> None:
        assert self._latest is not None
        assert self._pace is not None
        state, pace = self._latest, self._pace
        remark(self._form(self._title, state, pace.per_second(state, now_s), pace.seconds_left(state, now_s)))
        self._written, self._written_s = state, now_s


def _plain_line(title: str, state: Progress, per_second: float | None, seconds_left: float | None) -> str:
    parts = [f"{title}: {_amount(state)}"]
    if per_second is not None:
        parts.append(f"{rate(per_second)} {state.unit}/s")
    if seconds_left:
        parts.append(f"{duration(seconds_left)} left")
    if state.note:
        parts.append(state.note)
    return ", ".join(parts)


def _json_line(title: str, state: Progress, per_second: float | None, seconds_left: float | None) -> str:
    return json_line("progress", {"progress": {
        "title": title, "done": state.done, "total": state.total, "unit": state.unit, "note": state.note,
        "per_second": None if per_second is None else round(per_second, 3),
        "seconds_left": None if seconds_left is None else round(seconds_left, 1),
    }})


def _amount(state: Progress) -> str:
    total = "" if state.total is None else f"of {state.total} "
    return f"{state.done} {total}{state.unit}"


@contextmanager
def _bar(title: str) -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}"), BarColumn(bar_width=None),
        TextColumn("{task.fields[amount]}"), TextColumn("{task.fields[pace]}", style="dim"),
        TextColumn("{task.fields[note]}", style="yellow"),
        console=Console(stderr=True), expand=True,
    ) as bars:
        task = bars.add_task(title, total=None, amount="", pace="", note="")
        paces: list[Pace] = []

        def report(state: Progress) -> None:
            now_s = time.monotonic()
            if not paces or paces[-1].begins_anew(state):
                paces.append(Pace(state, now_s))
            per_second, left_s = paces[-1].per_second(state, now_s), paces[-1].seconds_left(state, now_s)
            pace = "" if per_second is None else f"{rate(per_second)}/s"
            pace += f", {duration(left_s)} left" if left_s else ""
            bars.update(task, completed=state.done, total=state.total, amount=_amount(state), pace=pace,
                        note=state.note)

        yield report


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
