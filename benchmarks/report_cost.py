"""What the report of a run costs: seconds, megabytes, and their part of the run that it tells of.

    python benchmarks/report_cost.py                     # trains on MNIST for 5 minutes first
    python benchmarks/report_cost.py --run runs/digits   # of a run that exists

A run writes its report once its budget is used up, so no image is lost to it; what it costs is the
wait at the end. Measured are the command, a process of its own, and the call that a run makes at
its end, with the training images in memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

import orthogan as og
from orthogan.data import load
from orthogan.report.run_facts import read_run
from orthogan.report.run_report import report_of_run

RESULTS = Path(__file__).parent / "results"
MOST_S, MOST_MB = 20.0, 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a finished run on mnist")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS / "report_cost.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        run = asked.run or og.train("mnist", minutes=asked.minutes, run=Path(folder) / "run").path
        record = {"provenance": provenance(), **measured(run, asked.repeats)}
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["goal"]))


def measured(run: Path, repeats: int) -> dict[str, Any]:
    """Times and sizes of the report of one run."""
    facts, images = read_run(run), load("mnist")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "orthogan", "report", str(run), "--out", str(page)]
        commands = [timed(lambda: subprocess.run(command, check=True, capture_output=True))
                    for _ in range(repeats)]  # fmt: skip
    calls = [timed(lambda: report_of_run(run, images)) for _ in range(repeats)]
    size_mb = (run / "report.html").stat().st_size / 1e6
    worst = max(*commands, *calls)
    return {
        "run": {
            "status": facts.status,
            "seconds": round(facts.seconds, 1),
            "images": facts.num_seen,
            "grids": len(facts.grids),
        },
        "command_s": [round(each, 2) for each in commands],
        "first_call_s": round(calls[0], 2),
        "later_calls_s": [round(each, 2) for each in calls[1:]],
        "size_mb": round(size_mb, 3),
        "part_of_the_run": round(statistics.median(calls) / facts.seconds, 5),
        "goal": {
            "seconds": MOST_S,
            "megabytes": MOST_MB,
            "met": worst <= MOST_S and size_mb <= MOST_MB,
        },
    }


def timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
