"""Faults at the system calls by which a process changes its files.

Python reaches the system through `os`, and through the raw files below its buffers; both are
replaced here by what counts the calls and, at one of them, goes wrong: the process dies before or
after it, the disk is full or broken, only half of the bytes are taken, or the power fails, which
loses all that was not flushed.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEATHS = ("dies before", "dies after", "power cut before", "power cut after")
ERRORS = {"disk full": errno.ENOSPC, "broken disk": errno.EIO}
WRITES = ("half written", "half written, then dies", "half written, then disk full")
CALLS = ("open", "write", "fsync", "mkdir", "replace", "unlink", "rmdir")
KILLED = 137


def faults_of(call: str) -> tuple[str, ...]:
    """What may go wrong at a call of this name."""
    return (*DEATHS, *ERRORS, *(WRITES if call == "write" else ()))


class FaultyCalls:
    """Counts the calls while `is_counting`, and lets one of them go wrong.

    Args:
        at: The number of that call, from 0; None: all is well.
        fault: What happens there, one of `faults_of`.
    """

    def __init__(self, at: int | None = None, fault: str = "") -> None:
        self.at, self.fault = at, fault
        self.is_counting = False
        self.calls: list[tuple[str, str]] = []
        self._flushed: dict[str, int] = {}  # bytes of each file that a power cut leaves
        self._renamed: list[tuple[str, str, bytes | None]] = []  # not yet flushed
        self._full = False

    def install(self) -> None:
        """From here on this process makes its calls through this."""
        for name in CALLS:
            setattr(os, name, self._counted(name, getattr(os, name)))
        io.open = self._opened  # type: ignore[assignment]

    def _counted(self, name: str, deed: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            if name == "open" and not given[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                return deed(*given, **more)
            place = _place(given[0])

            def done() -> Any:
                self._before_it(name, given)
                found = deed(*given, **more)
                self._after_it(name, given, found)
                return found

            def half() -> int:
                return int(deed(given[0], bytes(given[1])[: max(len(given[1]) // 2, 1)]))

            return self._made(name, place, done, half)

        return call

    def _made(self, name: str, place: str, done: Callable[[], Any], half: Callable[[], int]) -> Any:
        if self._full and name in {"write", "open", "mkdir", "fsync"}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if not self.is_counting:
            return done()
        number = len(self.calls)
        self.calls.append((name, place))
        if number != self.at:
            return done()
        if self.fault in ERRORS:
            self._full = self.fault == "disk full"  # and stays so
            raise OSError(ERRORS[self.fault], os.strerror(ERRORS[self.fault]))
        if self.fault in WRITES:
            taken = half()
            if self.fault.endswith("dies"):
                os._exit(KILLED)
            self._full = self.fault.endswith("full")
            return taken
        if self.fault.endswith("after"):
            done()
        if self.fault.startswith("power"):
            self._lose_what_was_not_flushed()
        os._exit(KILLED)

    def _before_it(self, name: str, given: tuple[Any, ...]) -> None:
        if name == "replace":
            old = Path(given[1]).read_bytes() if Path(given[1]).is_file() else None
            self._renamed.append((os.fspath(given[0]), os.fspath(given[1]), old))

    def _after_it(self, name: str, given: tuple[Any, ...], found: Any) -> None:
        if name == "fsync":
            place = _place(given[0])
            if Path(place).is_dir():
                self._renamed = [
                    each for each in self._renamed if str(Path(each[1]).parent) != place
                ]
            else:
                self._flushed[place] = os.fstat(given[0]).st_size
        elif name == "open":
            self._note(_place(found))
        elif name == "replace":
            source, target = os.fspath(given[0]), os.fspath(given[1])
            for place in list(self._flushed):
                if place == source or place.startswith(f"{source}/"):
                    self._flushed[target + place[len(source) :]] = self._flushed.pop(place)

    def _note(self, place: str) -> None:
        """What stands in a file when it is first opened counts as flushed."""
        if Path(place).is_file():
            self._flushed.setdefault(place, Path(place).stat().st_size)

    def _lose_what_was_not_flushed(self) -> None:
        for place, size in self._flushed.items():
            if Path(place).is_file() and Path(place).stat().st_size > size:
                os.truncate(place, size)
        for source, target, old in reversed(self._renamed):
            if Path(target).exists():
                Path(target).rename(source)
            if old is not None:
                handle = _OPEN(target, os.O_WRONLY | os.O_CREAT, 0o644)
                _WRITE(handle, old)

    def _opened(self, file: Any, mode: str = "r", *given: Any, **more: Any) -> Any:
        """As `open`, with a raw file whose writes are counted."""
        if isinstance(file, int) or not set("wxa+") & set(mode):
            return _IO_OPEN(file, mode, *given, **more)
        plain = mode.replace("b", "").replace("t", "")
        raw = self._made("open", os.fspath(file), lambda: _Raw(self, file, plain), lambda: 0)
        self._note(os.path.realpath(file))
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding="utf-8")


class _Raw(io.FileIO):
    """A file whose writes are counted."""

    def __init__(self, calls: FaultyCalls, file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self._calls = calls

    def write(self, data: Any) -> int:
        whole = bytes(data)
        place = os.path.realpath(os.fspath(self.name))
        made = super().write
        half = whole[: max(len(whole) // 2, 1)]
        return int(self._calls._made("write", place, lambda: made(whole), lambda: made(half)))  # noqa: SLF001


def _place(target: Any) -> str:
    if isinstance(target, int):
        return os.path.realpath(f"/proc/self/fd/{target}")
    return os.fspath(target)


_IO_OPEN, _OPEN, _WRITE = io.open, os.open, os.write
