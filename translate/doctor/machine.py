"""Processor, GPU, threads and memory: what translating and training will find here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from translate.doctor.finding import Finding
from translate.engines.available import available_bytes
from translate.engines.torch import has_bfloat16

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LITTLE_BYTES = 2 * 10**9
"""A worker with its model and a few pictures takes about half of it."""


def machine() -> Iterator[Finding]:
    """A finding each for processor, GPU, threads and memory."""
    yield processor()
    yield gpu()
    yield threads(torch.get_num_threads(), usable_cores(), os.environ)
    yield memory(available_bytes())


def processor() -> Finding:
    """The instructions that torch uses here, and the precision that follows."""
    units = torch.backends.cpu.get_cpu_capability()
    if has_bfloat16("cpu"):
        return Finding("ok", "processor", f"{units} and AMX: bfloat16 in hardware")
    return Finding("ok", "processor", f"{units}, no AMX: float32")


def gpu(root: Path = Path("/")) -> Finding:
    """The devices that torch can use; ``root`` is where ``dev`` is."""
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        precision = "bfloat16" if has_bfloat16("cuda") else "float32"
        return Finding("ok", "gpu", f"{', '.join(names)}: {precision}")
    if torch.backends.mps.is_available():
        return Finding("ok", "gpu", "Apple GPU (mps)")
    if (root / "dev/nvidia0").exists():
        return Finding("warning", "gpu", f"an NVIDIA GPU is here, but torch {torch.__version__} cannot use it",
                       "install a torch built for CUDA, and a driver that is new enough for it")
    return Finding("ok", "gpu", "none")


def threads(count: int, cores: float, environment: Mapping[str, str]) -> Finding:
    """Threads of torch against the cores that this process may use."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    settings = [f"{name}={environment[name]}" for name in names if name in environment]
    said = ", ".join([f"{count} of torch, {cores:g} cores", *(settings or ["OMP_NUM_THREADS not set"])])
    if count > max(1.0, cores):
        return Finding("warning", "threads", f"{said}: more threads than cores wait for each other",
                       f"set OMP_NUM_THREADS={max(1, int(cores))}")
    # Left to itself torch takes physical cores, of which the system may count each twice.
    if count < (int(cores) if settings else int(cores) // 2):
        named = " and ".join(name for name in names if name in environment) or "what limits torch's threads"
        return Finding("warning", "threads", f"{said}: not every core is used", f"unset {named}, unless it is meant so")
    return Finding("ok", "threads", said)


def usable_cores(root: Path = Path("/")) -> float:
    """Cores that the system and the container's quota leave to this process (of control groups version 2).

    ``root`` is where ``sys`` is.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return cores
    return cores if quota == "max" else min(cores, int(quota) / int(period))


def memory(available: int | None) -> Finding:
    """Bytes that this process may still take, None if unknown."""
    if available is None:
        return Finding("ok", "memory", "unknown on this system")
    said = f"{available / 1e9:.1f} GB available"
    if available < LITTLE_BYTES:
        return Finding("warning", "memory", f"{said}, less than {LITTLE_BYTES / 1e9:.0f} GB",
                       "close other programs or raise the container's limit; large images may not fit")
    return Finding("ok", "memory", said)
