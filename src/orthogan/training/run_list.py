"""The runs on disk, as `orthogan runs` lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orthogan.class_names import is_name_list, named_classes
from orthogan.errors import ResumeError, StorageError
from orthogan.files import read_json
from orthogan.training.lock import FolderLock
from orthogan.training.run_record import FIELDS, RUN_FILE, read_record


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One row of `orthogan runs`; `class_names` are those of its model, in their order."""

    path: Path
    status: str
    reason: str
    images_seen: int
    updated: str
    class_names: tuple[str, ...] = field(repr=False)
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
        class_names=_class_names(path),
        config=record["config"],
        facts={name: value for name, value in record.items() if name not in FIELDS},
    )


def _class_names(run: Path) -> tuple[str, ...]:
    """What a model's classes are called; read as text, since a list needs no PyTorch."""
    for described in (_of_bundle, _of_checkpoint):
        try:
            role, network, data = described(run)
            if role == "generator":
                return named_classes(data, network.get("classes", 0))
            names = data["class_names"]
            return tuple(names) if is_name_list(names) else ()
        except (StorageError, OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # none yet, or damaged
    return ()


def _of_bundle(run: Path) -> tuple[str, Any, Any]:
    stored = read_json(run / "bundle" / "config.json")
    generator = stored.get("generator")
    return "other" if generator is None else "generator", generator, stored["data"]


def _of_checkpoint(run: Path) -> tuple[str, Any, Any]:
    latest = (run / "checkpoints" / "latest").read_text(encoding="ascii").strip()
    model = read_json(run / "checkpoints" / f"{int(latest):09d}" / "state.json")["state"]["model"]
    return model["role"], model["network_config"], model["data"]
