"""How much memory this process may still take, from what Linux tells about the machine and its control groups."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def available_bytes(root: Path = Path("/")) -> int | None:
    """The least of what the machine has free and what every control group above this process leaves; None: unknown.

    Pages of files that the kernel can drop count as free. ``root`` is where ``proc`` and ``sys`` are. Other systems
    than Linux have no such files: None.
    """
    meminfo = _read(root / "proc/meminfo")
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo or "", re.MULTILINE)
    if found is None:
        return None
    return max(0, min([int(found[1]) * 1024, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each group with a limit leaves, in version 2 (one tree) or 1 (a tree for memory)."""
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            tree, limit, used, dropped = "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            tree, limit, used, dropped = ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                          "total_inactive_file")
        else:
            continue
        # A container may see its own group as the top of the tree, under the path that it has outside.
        group = Path(path.lstrip("/"))
        for folder in (root / tree / part for part in (group, *group.parents)):
            most, now = _read(folder / limit), _read(folder / used)
            if most and now and most.strip() != "max":
                files = re.search(rf"^{dropped} (\d+)$", _read(folder / "memory.stat") or "", re.MULTILINE)
                yield int(most) - int(now) + (int(files[1]) if files else 0)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
