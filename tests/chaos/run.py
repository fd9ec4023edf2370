"""The long form of the chaos tests: many seeds, one after the other, and a report.

    python -m tests.chaos.run --images 2000 --seeds 0-29 --executor both --report build/chaos.md

Ends 1 if any seed broke an invariant. A seed brings the same schedule and the same faults for the same requests; at
which moment of its work a process is hit also depends on the machine, so a rare finding may need its seed a few times.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.chaos import report
from tests.chaos.trial import Laboratory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seeds", type=_seeds, default=_seeds("0-29"), help="such as 0-29 or 3,7,40-42")
    parser.add_argument("--executor", choices=("both", "local", "ray"), default="both", help="both: odd seeds on Ray")
    parser.add_argument("--report", type=Path, help="Markdown; JSON is written beside it")
    parser.add_argument("--timeout", type=float, default=600, help="seconds after which a start of the command hangs")
    asked = parser.parse_args()
    trials = []
    with Laboratory(asked.images, asked.timeout) as laboratory:
        for seed in asked.seeds:
            trials.append(laboratory.try_seed(seed, None if asked.executor == "both" else asked.executor))
            print(trials[-1].line(), flush=True)
            for words in trials[-1].violations[:5]:
                print(f"    {words}", flush=True)
            if asked.report:
                asked.report.parent.mkdir(parents=True, exist_ok=True)
                report.write(asked.report, trials, asked.images)
    broken = sum(bool(trial.violations) for trial in trials)
    print(f"{len(trials) - broken} of {len(trials)} seeds are sound")
    return 1 if broken else 0


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


if __name__ == "__main__":
    sys.exit(main())
