"""The process's own stdout and stderr: one for results, one for advice, both always writable.

Results go to stdout and nothing else does: the descriptor that libraries know as stdout leads to
stderr, so their words cannot come between the lines of a document. What an encoding lacks is
escaped. A reader that has seen enough, or a stream that was closed from the start, is no error;
the exit code is what it would have been. A full disk behind stdout is one, behind stderr not:
advice that nobody can read must not end a training run.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

STDIN, STDOUT, STDERR = 0, 1, 2


class _Results(io.FileIO):
    """Bytes for stdout; they are dropped once nobody reads them."""

    _is_read = True

    def write(self, data: Any, /) -> int:
        if self._is_read:
            try:
                return super().write(data) or 0
            except BrokenPipeError:
                self._is_read = False
        return memoryview(data).nbytes


class _Advice(io.FileIO):
    """Bytes for stderr; they are dropped if they cannot be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def own_streams() -> None:
    """Gives this process its streams; the descriptors 0, 1 and 2 exist afterwards."""
    for descriptor in (STDIN, STDOUT, STDERR):
        _fill(descriptor)
    results = _Results(os.dup(STDOUT), "w")
    os.dup2(STDERR, STDOUT)
    sys.stdout = _text(results, sys.stdout)
    sys.stderr = _text(_Advice(STDERR, "w", closefd=False), sys.stderr)


def _fill(descriptor: int) -> None:
    # Else the next file that is opened takes the place, and libraries write their words into it.
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this


def _text(raw: io.FileIO, before: TextIO | None) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8" if before is None else before.encoding,
        errors="backslashreplace",
        line_buffering=raw.fileno() == STDERR or raw.isatty(),
    )
