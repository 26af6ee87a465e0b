"""The runs of a folder, each under an id, read again where something has changed."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from orthogan.errors import DataError, StorageError
from orthogan.report.run_facts import RunFacts, read_run
from orthogan.training.lock import FolderLock
from orthogan.training.run_record import RUN_FILE

ID_DIGITS = 16  # of 256 bits: no two of a million runs share an id
# What changes in a run folder whenever the run does.
WATCHED = (RUN_FILE, "metrics.jsonl", "samples", "checkpoints", "score.json", "stop")

Signature: TypeAlias = tuple[object, ...]


def key_of(name: str) -> str:
    """The id of a run whose folder has this name: the same today and tomorrow.

    >>> key_of("mnist-attention-gan-0")
    '296d4ce5a6b7b6a7'
    """
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What lies in the folder now.

    Attributes:
        runs: By their ids; those that train first, then the youngest.
        notes: Which folders cannot be read and why, a sentence each.
        problem: Why nothing can be read; empty where it can.
    """

    runs: Mapping[str, RunFacts] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    problem: str = ""


class Shelf:
    """The folder of run folders `root`; safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[Path, tuple[Signature, RunFacts | str]] = {}
        self._lock = threading.Lock()

    def look(self) -> Contents:
        """What lies there now; a folder that is gone holds nothing and says so."""
        with self._lock:
            try:
                folders = [each.parent for each in self.root.glob(f"*/{RUN_FILE}")]
                self.root.stat()
            except OSError as error:
                return Contents(problem=f"{self.root}: {error.strerror or error}.")
            found = {folder: self._run(folder) for folder in folders}
            self._read = {folder: self._read[folder] for folder in found}
        runs = {
            key_of(folder.name): each
            for folder, each in found.items()
            if isinstance(each, RunFacts)
        }
        notes = tuple(sorted(each for each in found.values() if isinstance(each, str)))
        return Contents(runs=dict(sorted(runs.items(), key=_order)), notes=notes)

    def run(self, key: str) -> RunFacts | None:
        """The run of an id; None without one."""
        return self.look().runs.get(key)

    def _run(self, folder: Path) -> RunFacts | str:
        signature = _signature(folder)
        known = self._read.get(folder)
        if known is None or known[0] != signature:
            try:
                known = signature, read_run(folder)
            except (DataError, StorageError) as error:
                known = signature, str(error)
            self._read[folder] = known
        return known[1]


def _signature(folder: Path) -> Signature:
    return (FolderLock.is_held(folder / ".lock"), *(_stamp(folder / name) for name in WATCHED))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _order(entry: tuple[str, RunFacts]) -> tuple[bool, str, str]:
    run = entry[1]
    # Not when it was written to last: the runs of a page would change places all the time.
    began = str(run.record.get("created") or run.record["updated"])
    return run.status != "running", _reversed(began), run.path.name


def _reversed(text: str) -> str:
    """A text that sorts the other way round."""
    return "".join(chr(0x10FFFF - ord(each)) for each in text)
