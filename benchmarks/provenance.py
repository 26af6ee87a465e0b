"""What every benchmark writes beside its numbers: where, when and with what they were measured."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

import orthogan
from orthogan.training.precision import has_native_bfloat16


def provenance() -> dict[str, Any]:
    """The command of the running script, versions, machine, thread count, commit and date."""
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    return {
        "command": shlex.join(["python", script, *sys.argv[1:]]),
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "orthogan": orthogan.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "processor": _processor(),
        "instructions": instructions(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def matmul_rate(dtype: torch.dtype, size: int = 1024, seconds: float = 1.0) -> float:
    """The best rate of square matrix products, GFLOP/s: the roofline of this machine now."""
    left, right = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    best, stop = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.perf_counter()
        left @ right
        best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best


def instructions() -> str:
    """The widest vectors PyTorch uses here, and whether bfloat16 is multiplied natively.

    One name of a processor stands for several that differ by half in speed, or have no bfloat16.
    """
    widest = torch.backends.cpu.get_cpu_capability()
    return f"{widest} with bfloat16" if has_native_bfloat16(torch.device("cpu")) else widest


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    folder = Path(__file__).parent
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
