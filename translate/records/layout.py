"""Where a run's records lie beside the outputs, and what a run is called.

_translate/lease.json                        who writes here, see `translate.records.lease`
_translate/calibrated/openvino-int8-<digest>.zip   weights of an engine in int8, calibrated on images of this job
_translate/probe                             empty: whether the store refuses what it should, and its clock
_translate/runs/<run>/units/000000.jsonl     the plan's units of work, a line each
_translate/runs/<run>/plan.json              marker: the plan is complete
_translate/runs/<run>/ledger/000000.jsonl    marker: this unit is finished; an outcome a line
_translate/runs/<run>/ledger/000001.stopped.jsonl   the finished part of a stopped unit; stays after a resume
_translate/runs/<run>/report.html
_translate/runs/<run>/summary.json           marker: the run is finished
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

RESERVED = "_translate/"
"""Keys under this prefix are ours, in every output; they are never read as images."""
RUNS = RESERVED + "runs/"


def new_run_id(now: datetime | None = None) -> str:
    """A run's name: sorts by time (UTC, milliseconds), and two made at once differ."""
    now = now or datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(2)}"


def run_prefix(run: str) -> str:
    """Prefix of all records of one run."""
    return f"{RUNS}{run}/"


def plan_key(run: str) -> str:
    """Key of a run's ``plan.json``."""
    return run_prefix(run) + "plan.json"


def units_key(run: str, part: int) -> str:
    """Key of one part of the plan's units."""
    return f"{run_prefix(run)}units/{part:06d}.jsonl"


def ledger_key(run: str, unit: int, *, stopped: bool = False) -> str:
    """Key of the ledger segment of one unit; ``stopped``: of the finished part of a unit that was stopped."""
    return f"{run_prefix(run)}ledger/{unit:06d}{'.stopped' if stopped else ''}.jsonl"


def report_key(run: str) -> str:
    """Key of the run's HTML page."""
    return run_prefix(run) + "report.html"


def calibrated_key(engine: str) -> str:
    """Key of an engine's calibrated weights; the engine's name ends in their digest."""
    return f"{RESERVED}calibrated/{engine}.zip"


def summary_key(run: str) -> str:
    """Key of a run's ``summary.json``."""
    return run_prefix(run) + "summary.json"
