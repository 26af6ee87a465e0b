"""Stretches of executions, each in a process forked from one that has imported everything.

A crash, a hang or a leak ends one process; the next goes on behind it.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from fuzz.judging import BLOCKED_S, KILL_S, Finding, case, judge
from fuzz.registry import Target

SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
AT = struct.Struct("<q")
_WARM: set[str] = set()
# What people do not see either.
HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


@dataclass
class Leg:
    """A stretch that runs: its process, where it writes, and where it stands."""

    target: Target
    pid: int
    folder: Path
    at: mmap.mmap


@dataclass
class Outcome:
    """How a stretch went.

    Attributes:
        following: The index to go on with.
        executions: How many there were.
        seconds: Of processor time, in the readers.
        slowest: Of one execution, and its index.
        peak_mb: Most memory of one execution beyond what the process held.
        findings: Each with its index.
    """

    following: int
    executions: int = 0
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)
    peak_mb: float = 0.0
    findings: list[tuple[int, Finding]] = field(default_factory=list)


def start(
    target: Target,
    seed: int,
    first: int,
    stop: int,
    given: bytes | None = None,
    *,
    turn_s: float = float("inf"),
) -> Leg:
    """A process that runs executions `first` to `stop`, or as many as fit into a time.

    Args:
        target: What is run.
        seed: Of the damage.
        first: Index of the first execution.
        stop: Index after the last.
        given: The input, instead of the one of the index.
        turn_s: The time by the clock; the execution that exceeds it is finished.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=SCRATCH))
    at = mmap.mmap(-1, AT.size)
    AT.pack_into(at, 0, first)
    _warm(target)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        indices = range(first, stop)
        _isolated(lambda: _work(target, seed, indices, given, folder, at, turn_s), folder)
    return Leg(target, pid, folder, at)


def _warm(target: Target) -> None:
    """Makes the inputs and imports what the reader needs, once before all forks."""
    if target.name in _WARM:
        return
    _WARM.add(target.name)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        for call in target.read(target.seeds[0], Path(folder)):
            with suppress(Exception):  # the first execution judges it
                call()


def ended(leg: Leg, status: int) -> Outcome:
    """What a process that ended with this status found."""
    outcome = _read(leg)
    if status != 0:
        index = AT.unpack_from(leg.at, 0)[0]
        said = _tail(leg.folder / "fault") or _tail(leg.folder / "2")
        outcome.findings.append((index, _death(status, said)))
        outcome.executions += 1
        outcome.following = index + 1
    leg.at.close()
    shutil.rmtree(leg.folder, ignore_errors=True)
    return outcome


def stop(leg: Leg) -> None:
    """Ends a process."""
    os.kill(leg.pid, signal.SIGKILL)
    os.waitpid(leg.pid, 0)
    shutil.rmtree(leg.folder, ignore_errors=True)


def _death(status: int, said: str) -> Finding:
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"a fault of the fuzzer itself:\n{said}")
    number = os.WTERMSIG(status)
    own = next((line for line in said.splitlines() if "/orthogan/" in line), "")
    place = own.strip().rpartition("/orthogan/")[2]
    if number == signal.SIGPROF:
        return Finding("hang", place, f"more than {KILL_S:g} s of processor time\n{said}")
    if number == signal.SIGALRM:
        return Finding("blocked", place, f"more than {BLOCKED_S:g} s by the clock\n{said}")
    return Finding(f"killed by {signal.Signals(number).name}", place, said)


def _isolated(work: Callable[[], None], folder: Path) -> NoReturn:
    code = 1
    try:
        for handle in (1, 2):  # a foreign library writes to these, whatever Python does
            os.dup2(os.open(folder / str(handle), os.O_RDWR | os.O_CREAT | os.O_APPEND), handle)
        # Whatever stands in their place, as pytest puts there.
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - a fault of the fuzzer itself, told by the exit code
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(code)


def _work(
    target: Target,
    seed: int,
    indices: range,
    given: bytes | None,
    folder: Path,
    at: mmap.mmap,
    turn_s: float,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers it
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    with (folder / "fault").open("w") as fault:
        faulthandler.enable(fault)
        for number in (signal.SIGPROF, signal.SIGALRM):
            faulthandler.register(number, fault, all_threads=False, chain=True)
        warnings.showwarning = _show
        warnings.simplefilter("always")
        for category in HIDDEN:
            warnings.simplefilter("ignore", category)
        gc.freeze()
        place = folder / "x"
        place.mkdir()
        os.chdir(place)
        outcome = Outcome(indices.start)
        begin = time.monotonic()
        with (folder / "found").open("w") as found:
            for index in indices:
                AT.pack_into(at, 0, index)
                content = case(target, seed, index) if given is None else given
                judged = judge(target, content, place)
                outcome.following, outcome.executions = index + 1, outcome.executions + 1
                outcome.seconds += judged.seconds
                outcome.slowest = max(outcome.slowest, (judged.seconds, index))
                outcome.peak_mb = max(outcome.peak_mb, judged.megabytes)
                if judged.finding:
                    line = {"index": index, "finding": judged.finding.to_dict()}
                    found.write(json.dumps(line) + "\n")
                    found.flush()
                if index % 64 == 0:  # so that a crash loses little of the account
                    _account(folder, outcome)
                if time.monotonic() - begin > turn_s:
                    break
        _account(folder, outcome)


def _show(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, ""))


def _account(folder: Path, outcome: Outcome) -> None:
    names = ("following", "executions", "seconds", "slowest", "peak_mb")
    text = json.dumps({name: getattr(outcome, name) for name in names})
    (folder / "account.new").write_text(text)
    (folder / "account.new").replace(folder / "account")


def _read(leg: Leg) -> Outcome:
    outcome = Outcome(AT.unpack_from(leg.at, 0)[0])
    account = leg.folder / "account"
    if account.exists():
        told: dict[str, Any] = json.loads(account.read_text())
        told["slowest"] = tuple(told["slowest"])
        outcome = Outcome(**told)
    found = leg.folder / "found"
    for line in found.read_text().splitlines() if found.exists() else ():
        tree = json.loads(line)
        outcome.findings.append((tree["index"], Finding(**tree["finding"])))
    return outcome


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-4000:] if path.exists() else ""
