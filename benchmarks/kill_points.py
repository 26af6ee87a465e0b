"""Kills, breaks and interrupts tiny trainings at hundreds of points, and damages their checkpoints.

    python benchmarks/kill_points.py --random 200 --aimed 0 --signals 100 --nans 50 --damages 10000

Each run is compared, by SHA-256 of everything that it leaves but times, with one that nothing
disturbed. `random`: SIGKILL at random moments. `aimed`: each system call by which a checkpoint is
written goes wrong in every way of `faulty_calls.py` (0: all of them). `signals`: SIGTERM and SIGINT
at random moments, every fourth one in a score, a verdict or a report that takes long. `nans`: a
number that is none, somewhere in what a step works with. `damages`: a bit is flipped, or the end is
missing, in a file of the newest checkpoint.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from damaged_files import damages
from disturbed_runs import SCENES, aim, all_points, nan_at, signalled
from faulty_calls import KILLED
from provenance import provenance
from tiny_runs import KINDS, ended, fingerprints, killed, prepare, start

from orthogan.training.checkpoint import load_checkpoint

RESULTS = Path(__file__).parent / "results" / "kill_points.json"
TRIES = ("random", "aimed", "signals", "nans", "damages")
MOST_STOP_S = 5.0
QUICKER = 0.8  # of a run's life: it is not to end before the signal
# So many are sent to one run before it may come to its end.
KILLS_A_RUN, SIGNALS_A_RUN = 5, 4
STORAGE, DIVERGED, PREEMPTED, INTERRUPTED = 3, 4, 75, 130


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in zip(TRIES, (200, 0, 100, 50, 10_000), strict=True):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and places")
    parser.add_argument("--only", choices=TRIES, nargs="+", default=TRIES)
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=KINDS)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary one")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        trial = Trial(asked, Path(name))
        for part in asked.only:
            write(asked.out, {"seed": asked.seed, "whole": trial.whole, part: trial.tried(part)})
    found = json.loads(asked.out.read_text())
    print(json.dumps({name: found[name]["summary"] for name in asked.only}, indent=1))
    sys.exit(0 if all(found[name]["summary"]["as_promised"] for name in asked.only) else 1)


def write(out: Path, found: dict[str, Any]) -> None:
    """Puts what was found into the record, whose other parts stay: together they take long."""
    out.parent.mkdir(exist_ok=True)
    before = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps(before | {"provenance": provenance()} | found, indent=1) + "\n")


class Trial:
    """Runs that nothing disturbed, and what disturbed ones are compared with.

    Args:
        asked: How many of each.
        folder: Where to work.
    """

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.asked, self.folder, self.kinds = asked, folder.resolve(), asked.kinds
        self.source = random.Random(asked.seed)
        self.data = prepare(self.folder)
        self.whole: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        for kind in asked.kinds:
            begin = time.monotonic()
            run = self.folder / kind / "run"
            if code := ended(start(self.data, run, kind)):
                sys.exit(f"exit code {code}: {Path(f'{run}.log').read_text()}")
            self.seconds[kind] = time.monotonic() - begin
            self.whole[kind] = fingerprints(run)

    def tried(self, part: str) -> dict[str, Any]:
        """One of `TRIES`, so often as was asked for."""
        begin = time.monotonic()
        found: dict[str, Any] = getattr(self, part)(getattr(self.asked, part))
        found["summary"]["seconds"] = round(time.monotonic() - begin)
        print(part, found["summary"], flush=True)
        return found

    def random(self, count: int) -> dict[str, Any]:
        """SIGKILL at random moments; each run is killed again and again before it ends."""
        rows: list[dict[str, Any]] = []
        for number in range(count):  # at most so many runs
            kind, rest = self.kinds[number % len(self.kinds)], count - len(rows)
            if rest <= 0:
                break
            with self._run() as run:
                found: list[dict[str, Any]] = []
                while len(found) < min(KILLS_A_RUN, rest):
                    after_s = self.seconds[kind] * self.source.random()
                    child = start(self.data, run, kind)
                    time.sleep(after_s)
                    if killed(child) == 0:  # it came to its end before
                        break
                    found.append({"run": number, "kind": kind, "after_s": round(after_s, 3)})
                    found[-1] |= self._left(run)
                end = self._resumed(run, kind)
                rows += [row | end for row in found]
        return _told(rows, lambda _: True)

    def aimed(self, count: int) -> dict[str, Any]:
        """Every fault at every system call of two checkpoints; or so many of them."""
        points = []
        for scene in SCENES:
            with self._run() as run:
                ended(start(self.data, run, SCENES[scene].kind, partial(aim, run, scene)))
                points += all_points(run, scene)
        chosen = points if not count else self.source.sample(points, count)
        rows = []
        for point in chosen:
            with self._run() as run:
                kind = SCENES[point["scene"]].kind
                first = ended(start(self.data, run, kind, partial(aim, run, **point)))
                rows.append(point | {"first": first} | self._left(run) | self._resumed(run, kind))
        told = _told(rows, lambda row: row["first"] in (0, STORAGE, KILLED))
        told["summary"]["points"] = len(points)
        told["summary"]["faults"] = dict(Counter(row["fault"] for row in rows))
        return told

    def signals(self, count: int) -> dict[str, Any]:
        """A signal to stop; how long the process takes to leave, with which code."""
        rows: list[dict[str, Any]] = []
        while len(rows) < count:
            kind = self.kinds[len(rows) // SIGNALS_A_RUN % len(self.kinds)]
            is_slow = len(rows) % SIGNALS_A_RUN == 0  # these have a run of their own
            most = 1 if is_slow else min(SIGNALS_A_RUN - 1, count - len(rows))
            with self._run() as run:
                found = []
                for number in range(len(rows), len(rows) + most):
                    share = QUICKER * self.source.random()
                    moment_s = None if is_slow else self.seconds[kind] * share
                    row = signalled(self.data, run, kind, moment_s, number)
                    found.append({"kind": kind} | row | self._left(run))
                end = self._resumed(run, kind)
                rows += [row | end for row in found]
        told = _told(
            rows,
            lambda row: row["took_s"] <= MOST_STOP_S and row["first"] in row.pop("documented"),
        )
        told["summary"]["longest_s"] = max(row["took_s"] for row in rows)
        told["summary"]["codes"] = dict(Counter(row["first"] for row in rows))
        return told

    def nans(self, count: int) -> dict[str, Any]:
        """A number that is none; whether it got into anything that was saved."""
        rows = []
        for number in range(count):
            with self._run() as run:
                row, before = nan_at(self.source, run, number)
                code = ended(start(self.data, run, "plain", before))
                is_saved = Path(f"{run}.poisoned").exists()
                rows.append(row | {"first": code, "saved": is_saved})
        told = _told(rows, lambda row: row["first"] in (0, DIVERGED) and not row["saved"])
        told["summary"]["codes"] = dict(Counter(row["first"] for row in rows))
        return told

    def damages(self, count: int) -> dict[str, Any]:
        """Damage to the files of checkpoints; which one is chosen then."""
        return damages(self.folder / "plain" / "run", self.source, count)

    def _run(self) -> _Folder:
        return _Folder(self.folder / "disturbed")

    def _left(self, run: Path) -> dict[str, Any]:
        """Where a run would go on, and whether anything is wrong with that."""
        print(end=".", flush=True)
        checkpoint = load_checkpoint(run) if run.exists() else None
        if checkpoint is None:
            return {"resumes_at": 0}
        problem = {"problem": checkpoint.problem} if checkpoint.problem else {}
        return {"resumes_at": checkpoint.images_seen} | problem

    def _resumed(self, run: Path, kind: str) -> dict[str, Any]:
        """What the same command makes of what is left."""
        row: dict[str, Any] = {}
        if code := ended(start(self.data, run, kind)):
            print(Path(f"{run}.log").read_text()[-2000:], file=sys.stderr)
            return row | {"second": code, "differs": ["exit code"]}
        found, whole = fingerprints(run), self.whole[kind]
        return row | {"differs": [part for part in whole if found[part] != whole[part]]}


class _Folder:
    """A run folder that is gone afterwards, with all beside it."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent

    def __enter__(self) -> Path:
        self.parent.mkdir()
        return self.parent / "run"

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.parent)


def table(record: dict[str, Any]) -> str:
    """What was done and what came of it, for docs/reliability.md."""
    aimed, signals = record["aimed"]["summary"], record["signals"]["summary"]
    points = f"{len(aimed['faults'])} kinds of faults at the system calls of a checkpoint"
    deeds = {
        "random": "SIGKILL at random moments",
        "aimed": f"{points} ({aimed['points']} points, of which so many were drawn)",
        "signals": f"SIGTERM or SIGINT; longest until it ends: {signals['longest_s']:.2f} s",
        "nans": "a weight, moment, image or latent that is no finite number",
        "damages": "flipped bits and missing ends in files of checkpoints",
    }
    rows = ["| disturbance | tried | as promised |", "|---|---|---|"]
    for name, deed in deeds.items():
        summary = record[name]["summary"]
        rows.append(f"| {deed} | {summary['tried']:,} | {summary['fine']:,} |")
    return "\n".join(rows) + "\n"


def _told(rows: list[dict[str, Any]], is_fine: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The rows, and how many of them are as promised; those that are not, in full."""
    good = [is_fine(row) and not row.get("differs") and not row.get("problem") for row in rows]
    bad = [row for row, fine in zip(rows, good, strict=True) if not fine]
    for row in bad:
        print("NOT AS PROMISED", row, file=sys.stderr, flush=True)
    summary = {"tried": len(rows), "fine": sum(good), "as_promised": not bad}
    return {"summary": summary, "rows": rows}


if __name__ == "__main__":
    main()
