"""One execution under limits, and what is wrong with it: nothing, or one finding."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import time
import traceback
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from fuzz.bytewise import damaged
from fuzz.registry import Target
from orthogan.errors import OrthoganError

LIMIT_S = 2.0  # of processor time: other processes slow the clock, not this
KILL_S = 3 * LIMIT_S  # of processor time, by the kernel, also inside of C code
BLOCKED_S = 60.0  # of the clock: waiting for ever uses no processor
LIMIT_BYTES = 512 * 2**20
MAX_MESSAGE = 600  # characters; a longer one is no sentence
PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Finding:
    """A fault: its kind and place, which tell whether two are the same, and the details."""

    kind: str
    place: str
    detail: str

    def to_dict(self) -> dict[str, str]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Judged:
    """What an execution cost, and the fault if there was one."""

    seconds: float
    megabytes: float
    finding: Finding | None


def case(target: Target, seed: int, index: int) -> bytes:
    """The input of an execution: a function of these three alone. The first are the seeds."""
    if index < len(target.seeds):
        return target.seeds[index]
    rng = Random(f"{target.name}/{seed}/{index}")
    valid, other = rng.choice(target.seeds), rng.choice(target.seeds)
    way = rng.random()
    if target.carried or way < 0.65:
        return target.form(rng, valid, other)
    if way < 0.9:
        return damaged(rng, valid, other)
    return damaged(rng, target.form(rng, valid, other), other)


def judge(target: Target, content: bytes, folder: Path) -> Judged:
    """Runs a reader on an input, in an empty folder that is the current one.

    The kernel ends this process after `KILL_S` of processor time, or `BLOCKED_S` by the clock.
    """
    for entry in os.scandir(folder):
        shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else Path(entry).unlink()
    mapped, held = _sizes()
    peak = _peak_bytes()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + LIMIT_BYTES, most))
    signal.setitimer(signal.ITIMER_PROF, KILL_S)
    signal.setitimer(signal.ITIMER_REAL, BLOCKED_S)
    start = time.process_time()
    finding = _run(target, content, folder)
    seconds = time.process_time() - start
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # The peak of the process only rises; where it did not, this execution stayed below it.
    grown = max(0, _peak_bytes() - held) if _peak_bytes() > peak else 0
    finding = finding or _written()
    if finding is None and seconds > LIMIT_S:
        finding = Finding(
            "slow", "", f"{seconds:.1f} s of processor time, the limit is {LIMIT_S} s"
        )
    if finding is None and grown > LIMIT_BYTES:
        finding = Finding("memory", "", f"{grown >> 20} MB, the limit is {LIMIT_BYTES >> 20} MB")
    return Judged(seconds, grown / 2**20, finding)


def _run(target: Target, content: bytes, folder: Path) -> Finding | None:
    calls = target.read(content, folder)
    while True:
        try:
            call = next(calls, None)
            if call is None:
                return None
            call()
        except OrthoganError as error:
            found = _refusal(error)
            if found is not None:
                return found
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
            kind = "memory" if isinstance(error, MemoryError) else type(error).__name__
            return Finding(kind, _place(error), "".join(traceback.format_exception(error))[-4000:])


def _refusal(error: OrthoganError) -> Finding | None:
    message = str(error)
    wrong = not message.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in message
    )
    cause: BaseException | None = error
    while cause is not None:
        if _wanted_memory(cause):
            return Finding(
                "memory", _place(cause), f"asked for too much, then said: {message[:500]}"
            )
        cause = cause.__cause__ or cause.__context__
    if wrong:
        return Finding("message with a control character", _place(error), ascii(message)[:2000])
    if len(message) > MAX_MESSAGE:
        return Finding("message too long", _place(error), f"{len(message)}: {message[:1000]}")
    if not message.strip():
        return Finding("message without a word", _place(error), repr(error))
    return None


def _wanted_memory(error: BaseException) -> bool:
    """Whether an allocation failed; Python's parser says the same of brackets in brackets."""
    frames = traceback.extract_tb(error.__traceback__)
    parsing = bool(frames) and Path(frames[-1].filename).name == "ast.py"
    return (isinstance(error, MemoryError) and not parsing) or "can't allocate memory" in str(error)


def _place(error: BaseException) -> str:
    """The deepest function of orthogan that the error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/orthogan/" in frame.filename]
    if not own:
        return f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else ""
    return f"{own[-1].filename.rpartition('/orthogan/')[2]}:{own[-1].name}"


def _written() -> Finding | None:
    """What the execution wrote to stdout or stderr, warnings among it; both are files here."""
    for handle, stream in ((1, sys.stdout), (2, sys.stderr)):
        stream.flush()
        size = os.lseek(handle, 0, os.SEEK_END)
        if size:
            text = os.pread(handle, 4000, 0).decode(errors="replace")
            os.ftruncate(handle, 0)
            lines = [line for line in text.splitlines() if line.strip()] or [""]
            return Finding(f"wrote to {('stdout', 'stderr')[handle - 1]}", _source(lines), text)
    return None


def _source(lines: list[str]) -> str:
    own = next((line for line in lines if "/orthogan/" in line), lines[0])
    return own.rpartition("/orthogan/")[2][:80]


def _sizes() -> tuple[int, int]:
    """Bytes of address space and of memory that this process has now."""
    with open("/proc/self/statm", "rb", buffering=0) as stream:  # noqa: PTH123 - each execution
        mapped, held, *_ = stream.read().split()
    return int(mapped) * PAGE, int(held) * PAGE


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
