"""Which worker trains which run of a comparison: claims in the shared folder, without a server.

A claim is a file `RUN.1.json`, then `RUN.2.json` and so on. To make the next one is to take the
run: a file system makes a new file for one of several that ask, also over a network. The last claim
decides. Its worker touches it while it lives; a worker that is dead by its number, or silent too
long, has lost the run, and that counts as a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orthogan.errors import DataError
from orthogan.files import is_alive, read_json, storage_errors, write_json

SIGN_S = 15.0  # between signs of life
SILENT_S = 300.0  # without one: twenty are missing, which no pause of a disk explains
MOST_FAILURES = 3  # after which a run is left alone
WORKING, RELEASED, FAILED, FINISHED = "working", "released", "failed", "finished"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the last worker of a run did with it.

    Attributes:
        path: The file.
        number: How often the run has been claimed.
        place: The machine of the worker, as far as process numbers hold.
        pid: Its process.
        state: `working`, `released` in good order, `failed` or `finished`.
        failures: How often the run failed, this claim included.
        why: What the last failure said.
    """

    path: Path
    number: int
    place: str
    pid: int
    state: str = WORKING
    failures: int = 0
    why: str = ""


@dataclass
class Claims:
    """The claims of a comparison, as one worker sees them.

    Args:
        folder: Where they lie.
    """

    folder: Path
    _seen: dict[Path, tuple[float, float]] = field(default_factory=dict)

    def last(self, run: str) -> Claim | None:
        """The claim that decides about a run; None if there was none.

        Raises:
            DataError: it is damaged.
        """
        numbers = [
            int(middle)
            for name in _names(self.folder)
            if name.startswith(f"{run}.") and name.endswith(".json")
            if (middle := name[len(run) + 1 : -len(".json")]).isdigit()
        ]
        return self._read(run, max(numbers)) if numbers else None

    def take(self, run: str) -> Claim | None:
        """A claim of this worker; None if the run is another's, finished, or failed too often."""
        last = self.last(run)
        if last is None:
            return self._make(run, 1, 0, "")
        if last.state == FINISHED:
            return None
        failures, why = last.failures, last.why
        if last.state == WORKING:
            if not self._is_lost(last):
                return None
            failures, why = failures + 1, "its worker died"
        if failures >= MOST_FAILURES:
            if last.state == WORKING:
                self.end(replace(last, failures=failures), FAILED, why)
            return None
        return self._make(run, last.number + 1, failures, why)

    def end(self, claim: Claim, state: str, why: str = "") -> None:
        """Writes down how a claim ended."""
        found = replace(claim, state=state, why=why or claim.why)
        tree = {
            name: value for name, value in vars(found).items() if name not in ("path", "number")
        }
        write_json(claim.path, tree)

    def is_given_up(self, run: str) -> Claim | None:
        """The last claim of a run that failed too often; None of any other."""
        last = self.last(run)
        gone = last is not None and last.state == FAILED and last.failures >= MOST_FAILURES
        return last if gone else None

    def _read(self, run: str, number: int) -> Claim:
        path = self.folder / f"{run}.{number}.json"
        try:
            if path.stat().st_size == 0:  # made by now, written in a moment
                return Claim(path=path, number=number, place="", pid=0)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}.") from None
        tree = read_json(path, error=DataError, advice="; remove it.")
        try:
            return Claim(
                path=path,
                number=number,
                place=str(tree["place"]),
                pid=int(tree["pid"]),
                state=str(tree["state"]),
                failures=int(tree["failures"]),
                why=str(tree["why"]),
            )
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path}: is no claim of a run; remove it.") from None

    def _make(self, run: str, number: int, failures: int, why: str) -> Claim | None:
        path = self.folder / f"{run}.{number}.json"
        claim = Claim(
            path=path, number=number, place=_place(), pid=os.getpid(), failures=failures, why=why
        )
        tree = {
            name: value for name, value in vars(claim).items() if name not in ("path", "number")
        }
        with storage_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(json.dumps(tree))
                    file.flush()
                    os.fsync(file.fileno())
            except FileExistsError:  # another worker was quicker
                return None
        return claim

    def _is_lost(self, claim: Claim) -> bool:
        if claim.place == _place() and not is_alive(claim.pid):
            return True
        # By the clock of this worker alone: those of other machines need not agree with it.
        now, sign = time.monotonic(), claim.path.stat().st_mtime
        known, since = self._seen.setdefault(claim.path, (sign, now))
        if known != sign:
            self._seen[claim.path] = (sign, now)
            return False
        return now - since >= SILENT_S


@contextmanager
def signs_of_life(claim: Claim) -> Iterator[None]:
    """Inside, the file of a claim is touched again and again."""
    over = threading.Event()

    def touch() -> None:
        while not over.wait(SIGN_S):
            with contextlib.suppress(OSError):  # the next one may succeed
                os.utime(claim.path)

    thread = threading.Thread(target=touch, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _tree(claim: Claim) -> dict[str, Any]:
    return {name: value for name, value in vars(claim).items() if name not in {"path", "number"}}


def _place() -> str:
    """This machine; of containers, the one whose processes have numbers of their own."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _names(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except FileNotFoundError:
        return []
