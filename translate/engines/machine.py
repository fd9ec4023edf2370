"""This machine, as far as it decides which engine is the fastest and what it computes."""

from __future__ import annotations

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def machine() -> str:
    """Processor, threads and versions, e.g. ``Intel(R) Xeon(R) Processor, 2 threads, torch 2.14.1, openvino
    2026.4.1``."""
    versions = [f"torch {torch.__version__.partition('+')[0]}"]
    with contextlib.suppress(PackageNotFoundError):
        versions.append(f"openvino {version('openvino')}")
    return ", ".join([processor(), f"{torch.get_num_threads()} threads", *versions])


def processor() -> str:
    """Name of the processor, as it gives it itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
