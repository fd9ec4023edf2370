"""Every benchmark, one after the other, and the table in docs/benchmarks.md from the lines that they print for it.

    python -m tests.benchmarks                    # all but gpu, up to an hour on two quiet cores
    python -m tests.benchmarks engines job        # these, their rows alone are replaced
    python -m tests.benchmarks --dry-run first    # print the table, write nothing
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks._machine import ROW, machine

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
TABLE = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)
HEAD = "| | what | measured |\n|---|---|---|\n"
BENCHMARKS: dict[str, list[list[str]]] = {
    "engines": [["engines"]],
    "job": [["job_throughput"], ["job_overhead", "--images", "500"]],
    "large": [["large_images"]],
    "training": [["train_speed"]],
    "planning": [["planning", "--keys", "1000000"]],
    "first": [["first_picture"]],
    "gpu": [["gpu"]],
}
"""Subject and its scripts with their arguments."""
ONLY_IF_ASKED = {"gpu"}
"""What most machines cannot measure."""


def rows_of(subject: str) -> list[str]:
    """Run a subject's scripts, passing on what they print; the lines for the table."""
    rows = []
    for script, *arguments in BENCHMARKS[subject]:
        command = [sys.executable, "-m", f"tests.benchmarks.{script}", *arguments]
        print("$", *command[1:], flush=True)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if line.startswith(ROW):
                    rows.append(f"| {subject} {line}")
        if process.returncode:
            raise SystemExit(f"{script} ended with {process.returncode}; {PAGE.name} is as it was")
    return rows


def merged(table: str, measured: dict[str, list[str]]) -> str:
    """The table with the rows of some subjects made anew, in the order of `BENCHMARKS`."""
    kept: dict[str, list[str]] = {}
    for line in table.splitlines(keepends=True):
        if (subject := line.removeprefix("| ").split(" ")[0]) in BENCHMARKS:
            kept.setdefault(subject, []).append(line)
    subjects = [name for name in BENCHMARKS if name in measured or name in kept]
    return HEAD + "".join(line for name in subjects for line in measured.get(name, kept.get(name, [])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(BENCHMARKS))
    parser.add_argument("--dry-run", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.subjects) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; choose of {', '.join(BENCHMARKS)}")
    text = PAGE.read_text("utf-8")
    assert TABLE.search(text), f"{PAGE.name} has lost its marks <!-- bench --> and <!-- /bench -->"
    measured = {}
    for subject in asked.subjects or [name for name in BENCHMARKS if name not in ONLY_IF_ASKED]:
        said = f"| {subject} | {datetime.now(UTC):%Y-%m-%d} | {machine()} |\n"
        measured[subject] = [said, *rows_of(subject)]
    new = TABLE.sub(lambda old: merged(old[0], measured), text)
    print(TABLE.search(new)[0] if asked.dry_run else f"written to {PAGE.name}")
    if not asked.dry_run:
        PAGE.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
