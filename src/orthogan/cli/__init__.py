"""The command line: one file a command; nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from orthogan.cli.process import end_at_once
from orthogan.cli.streams import own_streams

INTERRUPTED = 130
PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: schedulers start the command again
RESUMABLE = frozenset({"train", "classify", "language", "compare"})  # commands to repeat


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    Args:
        argv: Words after `orthogan`; None takes them from the process.
    """
    words = sys.argv[1:] if argv is None else argv
    if argv is None:
        end_at_once()
        if sys.stdout is sys.__stdout__:  # and nobody has put something of theirs in its place
            own_streams()
    before = _note_preemption() if RESUMABLE.intersection(words) else None
    try:
        from orthogan.cli.entry import run  # late: Ctrl-C during an import is no traceback either

        return run(words)
    except KeyboardInterrupt:
        sys.stderr.write("orthogan: Interrupted; repeat the command to go on.\n")
        return INTERRUPTED
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _note_preemption() -> Any:
    """Ends the process in good order if SIGTERM comes before training begins or after its end."""
    try:
        return signal.signal(signal.SIGTERM, _leave)
    except ValueError:  # only the main thread may set handlers
        return None


def _leave(_number: int, _frame: FrameType | None) -> None:
    # Not an exception: imports and destructors swallow some. Training itself answers differently,
    # and outside of it all that is written is written at once or not at all.
    os.write(2, b"orthogan: Preempted outside of training; nothing is lost, repeat the command.\n")
    os._exit(PREEMPTED)
