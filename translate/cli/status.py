"""`translate status`: how far runs are, also while they run, from any machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console

if TYPE_CHECKING:
    from translate.inspection.status import Status


def status(
    url: Annotated[
        str, typer.Argument(metavar="RUN_URL|OUTPUT", help="A run's folder, or an output: then its newest run.")
    ],
    every: Annotated[bool, typer.Option("--all", help="Every run of the output, a line each, oldest first.")] = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Prometheus text, as for the collector of text files.")
    ] = False,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL", help="Where S3 is spoken, if not at AWS.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each run.")] = False,
) -> None:
    """Say how far a run is: its outcomes so far, its pace, the time left.

    Reads only what the run has recorded beside its outputs, so it works from another machine while it runs.

    Exit codes: 0 fine, 2 no such run, 4 storage.
    """
    from translate.cli._prometheus import text
    from translate.errors import UsageError
    from translate.inspection.meter import measure
    from translate.inspection.status import locate, newest_run, read_all, read_status

    if prometheus and (every or as_json):
        raise UsageError("--prometheus is a form of its own, of one run: leave out --json and --all")
    store, run = locate(url, endpoint_url)
    run = run or newest_run(store)
    with console.slow_progress("status", as_json=as_json) as listener:
        found = list(read_all(store, listener)) if every else [read_status(store, run, listener)]
    if prometheus:
        console.result(text(measure(found[0])).rstrip())
    elif as_json:
        for each in found:
            console.result_json(_fields(each, store.url))
    elif every:
        _table(found)
    else:
        _show(found[0])


def _fields(status: Status, output_url: str) -> dict[str, Any]:
    from translate.records.layout import run_prefix

    record, totals = status.record, status.totals
    speed, left_s = status.images_per_second, status.seconds_left
    return {
        "event": "status",
        "run": record.run,
        "url": f"{output_url.rstrip('/')}/{run_prefix(record.run)}",
        "state": status.state,
        "holder": status.holder or None,
        "heartbeat": status.heartbeat_s and _utc(status.heartbeat_s),
        "pipeline": record.pipeline,
        "model": record.work.model,
        "input_url": record.input_url,
        "output_url": record.output_url,
        "started": record.started,
        "recorded": status.recorded_s and _utc(status.recorded_s),
        "finished": status.finished or None,
        "planned": status.planned,
        "ok": totals.ok,
        "failed": totals.failed,
        "skipped": totals.skipped,
        "open": status.open,
        "codes": dict(sorted(totals.codes.items())),
        "images_per_second": speed and round(speed, 3),
        "seconds_left": left_s and round(left_s, 1),
    }


def _show(status: Status) -> None:
    from translate.cli._run_results import outcomes, retry_command
    from translate.pages.template import readable
    from translate.progress import duration, rate

    record = status.record
    console.result(f"run {record.run}: {status.state}")
    lines = [
        ("pipeline", record.pipeline),
        ("model", f"{record.work.model} ({record.work.engine})"),
        ("input", record.input_url),
        ("output", record.output_url),
        ("held by", status.holder),
        ("heartbeat", _heartbeat(status)),
        ("started", record.started),
        ("finished", status.finished),
        ("recorded", status.recorded_s and f"{_utc(status.recorded_s)}, {_ago(status.recorded_s)}"),
    ]
    for label, value in lines:
        if value:
            console.result(f"  {label + ':':<11}{readable(str(value))}")
    console.table(["OUTCOME", "IMAGES"], [*outcomes(status.totals.ok, status.totals.codes), ("open", status.open)])
    total = [f"{status.totals.count:,} of {status.planned:,} images"]
    if status.images_per_second:
        total.append(f"{rate(status.images_per_second)} images/s")
    if status.seconds_left:
        total.append(f"{duration(status.seconds_left)} left")
    console.result(", ".join(total))
    if status.state == "unfinished":
        console.remark("it was stopped or has died; the same `translate run` command resumes it")
    elif status.state == "finished" and status.totals.failed:
        console.remark(f"the failed ones again, and only those: {retry_command(record)}")


def _heartbeat(status: Status) -> str:
    """How old the last sign of life is: of a run that was just killed nothing else can tell."""
    from translate.progress import duration

    if status.heartbeat_s is None or status.dead_after_s is None:
        return ""
    return f"{_ago(status.heartbeat_s)}; taken for dead {duration(status.dead_after_s)} after the last one"


def _table(found: list[Status]) -> None:
    from translate.progress import rate

    rows = [[each.record.run, each.state, each.planned, each.totals.ok, each.totals.failed, each.totals.skipped,
             each.open, rate(each.images_per_second) if each.images_per_second else "-", each.record.started]
            for each in found]
    console.table(["RUN", "STATE", "IMAGES", "OK", "FAILED", "SKIPPED", "OPEN", "IMAGES/S", "STARTED"], rows)


def _utc(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="seconds")


def _ago(moment_s: float) -> str:
    """Since then, by this machine's clock; a little ahead of the store's is now."""
    from translate.progress import duration

    return f"{duration(max(0.0, time.time() - moment_s))} ago"
