"""Seconds from the command to its first picture, cold: `translate run` on one image, and where they go.

    python -m tests.benchmarks.first_picture --rounds 5

Each round is a process of its own (the program's files may be in the system's cache). The parts are of another process,
which does the same step by step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.benchmarks._machine import machine, row
from tests.jobs import picture

SIDE_PX = 256
PARTS = """
import json, sys, time
spent, last = {}, float(sys.argv[1])
def part(name):
    global last
    now = time.time()
    spent[name], last = now - last, now
part("Python")
from translate.cli import app
app.build_app()
part("command line")
from translate.batch import run as job, planning
from translate.config import load_pipeline
from translate.stores import open_input, open_output
part("other imports")
import torch
part("PyTorch")
asked = load_pipeline(sys.argv[2])
prepared = job.prepare(job.Job(asked.name, open_input(sys.argv[3]), open_output(sys.argv[4]), asked.model, asked.run,
                               planning.Selection()))
part("model and plan")
job.run(prepared, "local", None, lambda _: None, lambda: False)
part("picture and records")
print(json.dumps(spent))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default="monet2photo")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print(machine())
    whole, parts = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        (source / "one.png").write_bytes(picture(0, SIDE_PX, SIDE_PX))
        for number in range(asked.rounds):
            output = Path(folder) / f"out{number}"
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "translate", "run", "--pipeline", asked.pipeline, "--input", source,
                            "--output", output], check=True, capture_output=True)
            whole.append(time.perf_counter() - began)
            assert (output / "one.png").exists()
            command = [sys.executable, "-c", PARTS, str(time.time()), asked.pipeline, str(source), f"{output}-parts"]
            parts.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
            print(f"round {number + 1}: {whole[-1]:.2f} s", flush=True)
    where = ", ".join(f"{name} {median(found[name] for found in parts):.2f}" for name in parts[0])
    row(f"`translate run --pipeline {asked.pipeline}` on one image of {SIDE_PX} x {SIDE_PX}, cold",
        f"{median(whole):.1f} s: {where}")


if __name__ == "__main__":
    main()
