"""The report of many seeds: Markdown for people, JSON for machines."""

from __future__ import annotations

import json
import platform
import subprocess
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.chaos.trial import Trial

_SHOWN = 10
_STDERR_CHARACTERS = 2000


def write(path: Path, trials: Sequence[Trial], images: int) -> None:
    """Write ``path`` (Markdown) and the same name with ``.json``; again after each seed, so that a night that was
    broken off is not lost."""
    path.write_text(markdown(trials, images))
    records = [{**asdict(trial), "schedule": asdict(trial.schedule)} for trial in trials]
    for record in records:
        for start in record["starts"]:
            start["stderr"] = start["stderr"][-_STDERR_CHARACTERS:] if start["code"] else ""
    path.with_suffix(".json").write_text(json.dumps({"images": images, "trials": records}, indent=1) + "\n")


def markdown(trials: Sequence[Trial], images: int) -> str:
    """The whole page."""
    broken = [trial for trial in trials if trial.violations]
    faults = _sum(trial.faults for trial in trials)
    kills = _sum(Counter(trial.kills) for trial in trials)
    starts = sum(len(trial.starts) for trial in trials)
    requests = sum(trial.requests for trial in trials)
    verdict = f"**{len(broken)} of {len(trials)} seeds broke an invariant.**" if broken else (
        f"**All {len(trials)} seeds are sound**: no image lost, none counted twice, none half-written, "
        "the source untouched, and running again does nothing."
    )
    return "\n".join([
        f"# Chaos: {len(trials)} seeds, {images} images each", "", verdict, "",
        _made(sum(trial.seconds for trial in trials)),
        f"Starts {starts}; requests {requests}; faults {_words(faults)}; kills {_words(kills)}.", "",
        "| seed | executor | requests | faults | kills | exit codes | s | violations |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(trial) for trial in trials), "",
        *_schedules(trials), *(line for trial in broken for line in _details(trial)),
    ])  # fmt: skip


def _row(trial: Trial) -> str:
    codes = " ".join("hung" if start.code is None else str(start.code) for start in trial.starts)
    cells = [
        trial.schedule.seed, trial.schedule.executor, trial.requests, _words(trial.faults),
        " ".join(trial.kills) or "none", codes, f"{trial.seconds:.0f}", len(trial.violations) or "none",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _schedules(trials: Sequence[Trial]) -> list[str]:
    return ["## What was planned", "", *(f"- seed {trial.schedule.seed}: {trial.schedule}" for trial in trials), ""]


def _details(trial: Trial) -> list[str]:
    more = len(trial.violations) - _SHOWN
    return [
        f"## Seed {trial.schedule.seed}, {trial.schedule.executor}", "",
        *(f"- {each}" for each in trial.violations[:_SHOWN]), *([f"- and {more} more"] if more > 0 else []), "",
        *(line for start in trial.starts if start.code for line in (
            f"exit {start.code} after {start.seconds} s:", "```", start.stderr[-_STDERR_CHARACTERS:], "```")),
        "",
    ]  # fmt: skip


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"


def _made(seconds: float) -> str:
    """With which versions, when, and in how much time."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    commit = asked.stdout.strip() or "no commit known"
    return (
        f"translate {translate.__version__} ({commit}), Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes."
    )
