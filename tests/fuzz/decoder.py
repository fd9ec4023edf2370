"""Bad files against the decoder: every one ends as a picture or as an `ItemError` with a code that is documented."""

from __future__ import annotations

import hashlib
import json
import random
import re
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.corpus import corpus
from tests.fuzz.mutate import mutate
from translate import errors

CODES = {"ok", *re.findall(r"``((?:input|output|store)\.\w+)``", errors.ItemError.__doc__ or "")}
HANG_S = 120.0
SLOW_CPU_S = 5.0
HUNGRY_BYTES = 256 << 20
"""For `child.MAX_PIXELS`: 128 bytes a pixel."""
CHILD = ("-m", "tests.fuzz.child")
_ROOT = Path(__file__).parents[2]


@dataclass
class Fuzzed:
    """What was tried and what was found."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    most_cpu_s: float = 0.0
    most_bytes: int = 0

    def words(self) -> str:
        """All of it, on some lines."""
        outcomes = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        most = f"slowest {self.most_cpu_s:.2f} s of processor time, most memory {self.most_bytes / 1e6:.0f} MB"
        return "\n".join([f"{self.inputs} inputs: {outcomes}", most, *(self.findings or ["nothing found"])])


def fuzz(seconds: float, seed: int, findings: Path) -> Fuzzed:
    """Decode mutated files in a child for so long; inputs that it fails on are saved in the folder ``findings``."""
    seeds = list(corpus().values())
    found, child, until = Fuzzed(), _Child(), time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            data = mutate(random.Random(f"{seed}:{found.inputs}"), seeds)
            problem = _problem(child.ask(data), found)
            found.inputs += 1
            if problem:
                path = findings / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
                findings.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                found.findings.append(f"{path}: {problem}")
                child.close()
                child = _Child()
    finally:
        child.close()
    return found


def _problem(answer: dict[str, Any], found: Fuzzed) -> str:
    """What is wrong with an answer; counts it."""
    outcome = answer["outcome"]
    found.outcomes[outcome] += 1
    found.most_cpu_s = max(found.most_cpu_s, answer.get("cpu_s", 0.0))
    found.most_bytes = max(found.most_bytes, answer.get("grown_bytes", 0))
    if outcome not in CODES:
        return str(answer["problem"])
    if answer["cpu_s"] > SLOW_CPU_S:
        return f"{answer['cpu_s']:.1f} s of processor time"
    if answer["grown_bytes"] > HUNGRY_BYTES:
        return f"{answer['grown_bytes'] / 1e6:.0f} MB of memory"
    return ""


class _Child:
    """The process that decodes."""

    def __init__(self) -> None:
        # libtiff says much: a pipe that nobody reads would be full one day.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._process = subprocess.Popen([sys.executable, *CHILD], cwd=_ROOT,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def ask(self, data: bytes) -> dict[str, Any]:
        """What it says of an input, or what became of it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(len(data).to_bytes(8, "big") + data)
            process.stdin.flush()
        except BrokenPipeError:
            return self._dead()
        if not select.select([process.stdout], [], [], HANG_S)[0]:
            return {"outcome": "hang", "problem": f"no answer within {HANG_S:g} s"}
        line = process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else self._dead()
        return answer

    def _dead(self) -> dict[str, Any]:
        code = self._process.wait()
        self._said.seek(0)
        words = self._said.read().decode(errors="replace")[-500:]
        return {"outcome": "crash", "problem": f"the process ended with {code}: {words}"}

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
        self._said.close()
