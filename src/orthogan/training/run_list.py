"""The runs on disk, as `orthogan runs` lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orthogan.errors import ResumeError, StorageError
from orthogan.training.lock import FolderLock
from orthogan.training.run_record import FIELDS, RUN_FILE, read_record


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One row of `orthogan runs`."""

    path: Path
    status: str
    reason: str
    images_seen: int
    updated: str
    config: dict[str, Any] = field(repr=False)
    facts: dict[str, Any] = field(repr=False)


def list_runs(root: Path, note: Callable[[str], object] = lambda _: None) -> list[RunSummary]:
    """The runs in the folders below `root`, the latest first; damaged ones are left out.

    A run whose process was killed counts as interrupted.

    Args:
        root: Where to look.
        note: Is told of each damaged one.

    Raises:
        StorageError: `root` is not a folder.
    """
    if not root.is_dir():
        raise StorageError(f"{root}: is not a folder, so it has no runs.")
    runs = []
    for path in sorted(root.glob(f"*/{RUN_FILE}")):
        try:
            runs.append(_summarise(path.parent, read_record(path.parent)))
        except ResumeError as error:
            note(f"Left out: {error}")
    return sorted(runs, key=lambda run: run.updated, reverse=True)


def _summarise(path: Path, record: dict[str, Any]) -> RunSummary:
    status = record["status"]
    if status == "running" and not FolderLock.is_held(path / ".lock"):
        status = "interrupted"
    return RunSummary(
        path=path,
        status=status,
        reason=record["reason"],
        images_seen=record["images_seen"],
        updated=record["updated"],
        config=record["config"],
        facts={name: value for name, value in record.items() if name not in FIELDS},
    )
