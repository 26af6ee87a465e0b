"""How many cores this process may use: not all of the machine's, if it is pinned or has a quota."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The cores that this process may run on, by its affinity and the quota of its container.

    Part of a core counts only where there is no whole one.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, int(min(cores, quota(_CGROUPS, _MEMBERSHIP))))


def quota(cgroups: Path, membership: Path) -> float:
    """The processors' time a second that a control group leaves this process; infinite: all.

    Args:
        cgroups: Where the control groups are mounted.
        membership: The file that says in which of them the process is.
    """
    found = [_share(folder) for folder in _folders(cgroups, membership)]
    return min(found)


def _folders(cgroups: Path, membership: Path) -> list[Path]:
    """The group of the process and all above it, of either version of control groups."""
    found: set[Path] = set()
    for line in _text(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in [cgroups / controllers, cgroups / "cpu"] if controllers else [cgroups]:
            # Inside of a container the group may be named as it is outside, and not be there.
            path = root / group.lstrip("/")
            found.update([path, *(each for each in path.parents if each.is_relative_to(root))])
    return sorted(found | {cgroups, cgroups / "cpu"})


def _share(folder: Path) -> float:
    words = _text(folder / "cpu.max").split()
    if not words:
        words = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        most, period = map(int, words)
    except ValueError:  # "max", or no such file
        return float("inf")
    return most / period if most > 0 and period > 0 else float("inf")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
