"""What every benchmark says beside its numbers: the machine, and lines for the table in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
ROW = "| "
"""How a line begins that belongs into the table."""


def machine() -> str:
    """Processor, its cores that this process may use, and the versions that make the numbers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "openvino") if find_spec(name))
    return f"{_processor()}, {cores} cores; Python {platform.python_version()}, {versions}"


def row(what: str, result: str) -> None:
    """Print a line of the table: what was measured, and the ratio or time with its unit."""
    print(f"{ROW}{what} | {result} |", flush=True)


def _processor() -> str:
    """Name and matrix units of the processor; only Linux tells."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name", platform.processor() or platform.machine())
    flags = facts.get("flags", "").split()
    units = [unit for flag, unit in (("avx512f", "AVX-512"), ("amx_bf16", "AMX")) if flag in flags]
    return name + (f" ({', '.join(units)})" if units else "")
