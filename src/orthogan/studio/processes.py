"""Training processes: started detached, so that they outlive the studio, and what ended them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orthogan.errors import StorageError
from orthogan.files import storage_errors
from orthogan.terminal import printable_lines

LOGS = ".studio"  # beside the run folders: a run folder that is not empty is not begun in
TAIL_BYTES = 8_000
TAIL_LINES = 12
GOOD = frozenset({0, 75, 130})  # done, preempted, interrupted: the run itself says why
# What `orthogan` means by its exit codes, where no sentence of its own says it.
MEANINGS = {
    1: "a bug",
    2: "a wrong setting",
    3: "data or model unusable",
    4: "training broke down",
    5: "out of memory",
    6: "the run folder holds another run",
}


@dataclass(frozen=True)
class Child:
    """A process that this studio started: what it trains, and how it was called."""

    name: str
    words: tuple[str, ...]
    process: subprocess.Popen[bytes]


class Processes:
    """The training processes that this studio started, by the ids of their runs.

    Args:
        root: Folder of run folders; what the processes write for people goes to `.studio` there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._children: dict[str, Child] = {}
        self._lock = threading.Lock()

    def start(self, key: str, name: str, words: Sequence[str]) -> None:
        """Starts a command of `orthogan` in a process group and session of its own.

        Args:
            key: Id of its run.
            name: Of its run folder.
            words: After `orthogan`.

        Raises:
            StorageError: its log cannot be written, one for this run is at work already, or the
                system starts no more processes.
        """
        with self._lock:
            if self.is_alive(key):
                raise StorageError(f"{name}: a process for this run was started already; wait.")
            log = self._log(key)
            with storage_errors(log):
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("wb") as file:
                    process = _started(words, file)
            self._children[key] = Child(name, tuple(words), process)

    def child(self, key: str) -> Child | None:
        """The process that this studio started last for a run; None if it started none."""
        return self._children.get(key)

    def keys(self) -> list[str]:
        """The runs for which this studio has started a process."""
        return list(self._children)

    def is_alive(self, key: str) -> bool:
        """Whether such a process is at work."""
        child = self._children.get(key)
        return child is not None and child.process.poll() is None

    def interrupt(self, key: str) -> None:
        """Ctrl-C for a process that has not opened its run folder yet."""
        child = self._children.get(key)
        if child is not None and child.process.poll() is None:
            child.process.send_signal(signal.SIGINT)

    def forget(self, key: str) -> None:
        """Drops a process that has ended."""
        if not self.is_alive(key):
            self._children.pop(key, None)

    def failure(self, key: str) -> str:
        """Why the process of a run ended before its time; empty if it did not, or is not ours."""
        child = self._children.get(key)
        code = None if child is None else child.process.poll()
        if code is None or code in GOOD:
            return ""
        if code < 0:
            return _killed(-code)
        last = self.tail(key)[-1:]
        said = f" Its last words: {last[0].removeprefix('orthogan: ')}" if last else ""
        return f"The process ended with exit code {code} ({MEANINGS.get(code, 'unknown')}).{said}"

    def tail(self, key: str) -> list[str]:
        """The last lines that a process for this run wrote, also one of an earlier studio."""
        try:
            with self._log(key).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        lines = [line.rstrip() for line in printable_lines(text).splitlines()]
        return [line for line in lines if line][-TAIL_LINES:]

    def _log(self, key: str) -> Path:
        return self.root / LOGS / f"{key}.log"


def _started(words: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - words, not a shell
            [sys.executable, "-m", "orthogan", *words],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except ValueError:  # a zero byte, or half of a surrogate pair
        raise StorageError("A name in this command is none that a process can be given.") from None


def _killed(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    by_system = name == "SIGKILL"
    why = " as the system does when memory runs out" if by_system else ""
    return f"The process was killed ({name}){f',{why}' if why else ''}."
