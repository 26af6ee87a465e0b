"""What it costs a run to be watched: its grids, curves, bar, report, and a studio beside it.

    python benchmarks/watching_cost.py --minutes 5 --threads 1

Trains the default recipe on MNIST in this process and adds up the processor time of what is done
so that somebody can see the run: sample grids, lines of metrics, the record of its state, the bar,
and the report at its end. A studio runs beside it with two pages open, the list and the run, each
of which is sent what changes; its processor time is read from the system. What a run measures for
its own decisions (live scores, which choose the model that is kept, and the watch) is listed
and not counted. Parts of one run and not two runs side by side: the machine has other work, and a
difference of two speeds would be mostly that. Nearly all of it is done by the clock, and a machine
that is busy does it less often; so for each part what one call takes is set against the calls that
are due in the time: on one core that has nothing else to do, that is the part of the images. A core
that is free for the studio takes its share off.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from provenance import provenance

import orthogan as og
from orthogan.gan.session import GanSession
from orthogan.report import run_report
from orthogan.studio.events import EVERY_S
from orthogan.studio.shelf import key_of
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.session import METRICS_EVERY_S, SCORES_A_RUN, SHOW_EVERY_S, Session

RESULTS = Path(__file__).parent / "results"
MOST = 0.02
# Methods whose time is told apart; of those inside one another each has its own.
TIMED: dict[str, tuple[Any, str]] = {
    "grids": (GanSession, "measure"),
    "live score": (GanSession, "_read_score"),
    "metrics": (RunFolder, "append_metrics"),
    "state": (RunFolder, "update_status"),
    "bar": (Session, "_show"),
    "notes": (ProgressDisplay, "note"),
    "report": (run_report, "report_of_run"),
    "checkpoints": (Session, "checkpoint"),
}
SEEN = ("grids", "metrics", "state", "bar", "notes", "report")  # what is done to be seen
PAGES = 2  # that are open
RUN = "watched"
LINES_OF_AN_EVENT = 2


class Times:
    """Processor time of this process by part, each without what is timed inside of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._inside: list[float] = []

    def of(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            start = time.process_time()
            try:
                return work(*args, **named)
            finally:
                took = time.process_time() - start
                self.seconds[part] += took - self._inside.pop()
                self.calls[part] += 1
                if self._inside:
                    self._inside[-1] += took

        return timed


@contextmanager
def studio(root: Path) -> Iterator[tuple[int, str]]:
    """A studio over a folder: its process and its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "orthogan", "studio", str(root)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout.readline().strip()
        finally:
            process.terminate()


def watch(address: str, place: str, sizes: list[int]) -> None:
    """Reads what a page is sent, as a browser does, until the studio ends."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"/?{parts.query}")
    cookie = (connection.getresponse().getheader("set-cookie") or "").partition(";")[0]
    while True:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=900)
        try:
            connection.request("GET", place, headers={"Cookie": cookie})
            answer = connection.getresponse()
            if answer.status == 200:
                sizes.extend(map(len, answer))
        except OSError:
            return
        time.sleep(0.5)  # the run has not begun yet


def processor_s(process: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(root: Path, minutes: float, threads: int) -> dict[str, Any]:
    times = Times()
    for part, (owner, name) in TIMED.items():
        setattr(owner, name, times.of(part, getattr(owner, name)))
    with studio(root) as (process, address):
        sizes: list[int] = []
        for place in ("/events", f"/runs/{key_of(RUN)}/events"):
            threading.Thread(target=watch, args=(address, place, sizes), daemon=True).start()
        time.sleep(2.0)
        idle_s, start = processor_s(process), time.process_time()
        run = og.train("mnist", minutes=minutes, run=root / RUN, threads=threads)
        total_s, studio_s = time.process_time() - start, processor_s(process) - idle_s
    budget_s = 60 * minutes
    due = {
        "grids": SCORES_A_RUN,
        "metrics": budget_s / METRICS_EVERY_S,
        "bar": budget_s / SHOW_EVERY_S,
        "looks of the studio": PAGES * budget_s / EVERY_S,
    }
    times.seconds["looks of the studio"] = studio_s
    times.calls["looks of the studio"] = max(1, len(sizes) // LINES_OF_AN_EVENT)
    parts = {}
    for part, seconds in sorted(times.seconds.items()):
        calls = times.calls[part]
        all_s = seconds * max(1.0, due.get(part, 0) / calls)
        parts[part] = {"seconds": round(seconds, 3), "calls": calls,
                       "due": int(max(calls, due.get(part, 0))),
                       "part": round(all_s / budget_s, 5)}  # fmt: skip
    live = sum(parts[part]["part"] for part in SEEN if part != "report")
    looks, report = parts["looks of the studio"]["part"], parts["report"]["part"]
    return {
        "run": {"status": run.status, "seconds": round(run.seconds, 1), "images": run.images_seen},
        "processor_s": round(total_s, 1),
        "parts": parts,
        "in_the_run": round(live, 5),
        "report": report,
        "studio": looks,
        "all": round(live + looks + report, 5),
        # The report is written once the budget is used up: no image is lost to it.
        "images_lost": round(live + looks, 5),
        "goal": {"most": MOST, "met": live + looks <= MOST},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "watching_cost.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        record = measured(Path(folder), asked.minutes, asked.threads)
    told = provenance()
    told["command"] = re.sub(r" --out \S+", "", told["command"])
    asked.out.write_text(json.dumps({"provenance": told, **record}, indent=1) + "\n")
    print(
        json.dumps(
            {
                name: record[name]
                for name in ("in_the_run", "report", "studio", "images_lost", "goal")
            }
        )
    )


if __name__ == "__main__":
    main()
