"""`python tests/fuzz/run.py`: damaged inputs for every reader, for as long as you like.

Exit code 0 if nothing was found, 1 if something was, 2 if the words make no sense.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":  # the tree is fuzzed, not an installed copy
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path[0] = str(ROOT / "tests")
    sys.path.insert(0, str(ROOT / "src"))

from fuzz import legs, targets  # noqa: E402
from fuzz.judging import Finding, case  # noqa: E402
from fuzz.registry import TARGETS, Target  # noqa: E402

assert targets  # importing it enrols them
KEPT = Path(tempfile.gettempdir()) / "orthogan-fuzz"
MAX_LEG = 20_000  # executions of one process
TURN_S = 2.0  # of a target, then the next one
TURNS = 3  # that each target has at least, so that a short time is shared too
MAX_SAVED = 3  # inputs kept of one fault
SHOWN_LINES = 12  # of the details of a fault


@dataclass
class Tally:
    """What one target came to."""

    target: Target
    stop: int
    following: int = 0
    executions: int = 0
    seconds: float = 0.0
    wall_s: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)
    peak_mb: float = 0.0
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, outcome: legs.Outcome, wall_s: float) -> None:
        """Counts a stretch."""
        self.following = outcome.following
        self.executions += outcome.executions
        self.seconds += outcome.seconds
        self.wall_s += wall_s
        self.slowest = max(self.slowest, outcome.slowest)
        self.peak_mb = max(self.peak_mb, outcome.peak_mb)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "executions": self.executions,
            "per_second": round(self.executions / self.wall_s, 1) if self.wall_s else 0.0,
            "slowest_s": round(self.slowest[0], 3),
            "slowest_index": self.slowest[1],
            "peak_mb": round(self.peak_mb, 1),
            "failures": sum(self.faults.values()),
            "faults": [
                {"kind": kind, "place": place, "count": count}
                for (kind, place), count in self.faults.most_common()
            ],
        }


class Fuzzer:
    """Runs stretches of all targets in turn, so many at a time, until all are done."""

    def __init__(self, names: list[str], per_target: int, seed: int, jobs: int, kept: Path) -> None:
        self.seed, self.jobs, self.kept = seed, jobs, kept
        self.tallies = {name: Tally(TARGETS[name], per_target) for name in names}
        self._running: dict[int, tuple[legs.Leg, float]] = {}
        self._begin, self._deadline, self._turn_s = time.monotonic(), float("inf"), TURN_S
        self._said = self._line = 0.0

    def run(self, seconds: float | None) -> None:
        """Goes on until every target had its executions, or the time is over.

        Each target has at least one turn, whatever the time.
        """
        if seconds is not None:
            self._deadline = self._begin + seconds
            turns = TURNS * len(self.tallies) / self.jobs
            self._turn_s = min(self._turn_s, seconds / turns)
        waiting = deque(self.tallies.values())
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self.jobs:
                    self._start(waiting.popleft())
                tally = self._collect()
                if tally.following < tally.stop:
                    waiting.append(tally)
                self._progress()
                if time.monotonic() > self._deadline:
                    waiting = deque(each for each in waiting if not each.executions)
        finally:
            for leg, _ in self._running.values():
                legs.stop(leg)
        say("")

    def _start(self, tally: Tally) -> None:
        stop = min(tally.stop, tally.following + MAX_LEG)
        leg = legs.start(tally.target, self.seed, tally.following, stop, turn_s=self._turn_s)
        self._running[leg.pid] = leg, time.monotonic()

    def _collect(self) -> Tally:
        pid, status = os.wait()
        leg, begin = self._running.pop(pid)
        tally = self.tallies[leg.target.name]
        outcome = legs.ended(leg, status)
        tally.add(outcome, time.monotonic() - begin)
        for index, finding in outcome.findings:
            key = finding.kind, finding.place
            tally.faults[key] += 1
            if tally.faults[key] <= MAX_SAVED:
                path = save(self.kept, leg.target, case(leg.target, self.seed, index))
                if tally.faults[key] == 1:
                    self._tell(leg.target.name, index, finding, path)
        return tally

    def _tell(self, name: str, index: int, finding: Finding, path: Path) -> None:
        say("")
        say(f"{name}: {finding.kind} in {finding.place or 'no function of ours'}")
        for line in finding.detail.strip().splitlines()[-SHOWN_LINES:]:
            say(f"    {line[:300]}")
        say(f"  python tests/fuzz/run.py --target {name} --seed {self.seed} --index {index}")
        say(f"  input: {path}")

    def _progress(self) -> None:
        now = time.monotonic()
        if now - self._said < 1:
            return
        self._said, elapsed = now, now - self._begin
        done = sum(tally.executions for tally in self.tallies.values())
        found = sum(len(tally.faults) for tally in self.tallies.values())
        if self._deadline < float("inf"):
            share = elapsed / (self._deadline - self._begin)
        else:
            shares = [tally.following / tally.stop for tally in self.tallies.values()]
            share = sum(shares) / len(shares)
        left = elapsed * (1 - share) / share if share > 0 else 0
        line = f"{done:,} executions, {found} faults, {share:.0%}, about {max(left, 0):.0f} s left"
        end = "\r" if sys.stderr.isatty() else "\n"
        if end == "\r" or now - self._line > 30:
            self._line = now
            print(line.ljust(78), file=sys.stderr, end=end, flush=True)


def save(kept: Path, target: Target, content: bytes) -> Path:
    """Keeps an input, under a name that tells its target."""
    import hashlib

    kept.mkdir(parents=True, exist_ok=True)
    path = kept / f"{target.name}-{hashlib.sha256(content).hexdigest()[:10]}.bin"
    path.write_bytes(content)
    return path


def replay(jobs: list[tuple[Target, bytes, str]], seed: int) -> int:
    """Runs single inputs and says what each gives; how many failed."""
    failed = 0
    for target, content, name in jobs:
        leg = legs.start(target, seed, 0, 1, content)
        _, status = os.waitpid(leg.pid, 0)
        outcome = legs.ended(leg, status)
        for _, finding in outcome.findings:
            failed += 1
            say(f"{name}: {finding.kind} in {finding.place or 'no function of ours'}")
            say(finding.detail.rstrip())
        if not outcome.findings:
            say(f"{name}: fine, {outcome.seconds:.3f} s, {outcome.peak_mb:.0f} MB")
    return failed


def target_of(path: Path) -> Target:
    """The target of a kept input, by its name."""
    return TARGETS[path.name.rpartition("-")[0]]


def say(sentence: str) -> None:
    """Writes a line to stderr."""
    print(sentence, file=sys.stderr, flush=True)


def table(tallies: dict[str, Tally]) -> str:
    """One line a target."""
    heads = f"{'executions':>10} {'per s':>8} {'slowest s':>9} {'peak MB':>8} {'failures':>8}"
    lines = [f"{'target':<18} {heads}"]
    for name, tally in tallies.items():
        row = tally.to_dict()
        lines.append(
            f"{name:<18} {row['executions']:>10,} {row['per_second']:>8,.0f} "
            f"{row['slowest_s']:>9.3f} {row['peak_mb']:>8.0f} {row['failures']:>8,}"
        )
        lines += [f"    {f['count']:,} x {f['kind']} in {f['place']}" for f in row["faults"]]
    return "\n".join(lines)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="tests/fuzz/run.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--target", action="append", choices=TARGETS, metavar="NAME", help="all by default"
    )
    parser.add_argument(
        "--executions", type=count, metavar="N", help="of each target; 1k by default"
    )
    parser.add_argument(
        "--for", dest="seconds", type=duration, metavar="TIME", help="such as 90s, 2m, 8h"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the damage; 0 by default"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="J", help="processes at a time; 1 by default"
    )
    parser.add_argument(
        "--index", type=int, metavar="I", help="repeat this execution of one target"
    )
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="run kept inputs")
    parser.add_argument(
        "--out", type=Path, default=KEPT, metavar="DIR", help=f"for failing inputs; {KEPT}"
    )
    parser.add_argument("--json", action="store_true", help="the summary as JSON on stdout")
    parser.add_argument("--list", action="store_true", help="name the targets and stop")
    return parser.parse_args(words)


def count(text: str) -> int:
    """A count such as 500 or 10k."""
    from orthogan.cli.amounts import parse_count

    return parse_count(text)


def duration(text: str) -> float:
    """Seconds in a duration such as 90s or 2m."""
    from orthogan.cli.amounts import parse_minutes

    return 60 * parse_minutes(text)


def main(words: list[str] | None = None) -> int:
    """Runs what the words ask for; the exit code."""
    import torch

    torch.set_num_threads(1)
    asked = parse(words)
    names = asked.target or list(TARGETS)
    if asked.list:
        print("\n".join(names))
        return 0
    if asked.replay:
        return int(replay([(target_of(p), p.read_bytes(), str(p)) for p in asked.replay], 0) > 0)
    if asked.index is not None:
        single = [
            (TARGETS[name], case(TARGETS[name], asked.seed, asked.index), f"{name} {asked.index}")
            for name in names
        ]
        for target, content, _ in single:
            say(f"input: {save(asked.out, target, content)}")
        return int(replay(single, asked.seed) > 0)
    per_target = asked.executions or (1000 if asked.seconds is None else sys.maxsize)
    fuzzer = Fuzzer(names, per_target, asked.seed, max(1, asked.jobs), asked.out)
    fuzzer.run(asked.seconds)
    summary = {name: tally.to_dict() for name, tally in fuzzer.tallies.items()}
    if asked.json:
        print(json.dumps({"seed": asked.seed, "targets": summary}, indent=2))
    else:
        print(table(fuzzer.tallies))
    return int(any(tally.faults for tally in fuzzer.tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
