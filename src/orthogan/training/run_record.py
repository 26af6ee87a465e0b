"""`run.json`: the settings of a run, what made it, and how it is doing."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from orthogan.config import check_shape, flatten
from orthogan.errors import ResumeError, shortened
from orthogan.files import NOT_OURS, is_leftover, read_json, storage_errors
from orthogan.terminal import pasteable
from orthogan.training.budgets import BUDGET, HISTORY, Standing, entry
from orthogan.version import __version__

FORMAT = 1
RUN_FILE = "run.json"
FIELDS = {"format", "status", "reason", "images_seen", "updated", "config", "provenance"}
TASK = "task"  # the field that says what is trained
ELSEWHERE = "; choose another --run"
# The settings that may change with the data left as they are: where these lie.
DATA_PLACES = frozenset({"data.source", "data.test"})
MAX_DIFFERENCES = 5  # a sentence stays readable


Amount: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class _Budget(BaseModel):
    """A row of the history of budgets."""

    when: str
    budget: dict[str, Amount]
    images_seen: int = Field(ge=0)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    command: str


class _Settings(BaseModel):
    """What is read of the settings before they are compared with those of a command."""

    model_config = ConfigDict(extra="allow")

    budget: dict[str, Amount] = {}


class _Record(BaseModel):
    """What is read of `run.json`, of any version; more may stand in it."""

    model_config = ConfigDict(extra="allow")

    status: str
    reason: str
    images_seen: int = Field(ge=0)
    updated: str
    config: _Settings
    provenance: dict[str, Any]
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    scores: dict[str, float] = {}
    resumed_with: list[Any] = []
    task: str = ""
    recipe: str = ""
    budgets: list[_Budget] = []


def describe_machine(
    *, device: str, data_fingerprint: str, command: Collection[str] = ()
) -> dict[str, Any]:
    """What made a run: versions, thread count, device, platform, data and command.

    Args:
        device: Device the run trains on, such as `cpu`.
        data_fingerprint: Checksum of the training data.
        command: Words of the command line; empty for a run started from Python.
    """
    import torch  # late, so that `orthogan runs` reads records without it

    return {
        "orthogan": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "device": device,
        "data_fingerprint": data_fingerprint,
        "command": pasteable(command),
    }


def refuse_foreign(path: Path) -> None:
    """Checks that `path` is free, empty, or a run folder.

    Raises:
        ResumeError: it is a file, or a folder that holds something else.
    """
    if path.exists() and not path.is_dir():
        raise ResumeError(f"{path}: is a file, not a run folder; choose another --run.")
    if not path.exists() or (path / RUN_FILE).exists():
        return
    with storage_errors(path):
        foreign = [entry.name for entry in path.iterdir() if entry.name != ".lock"]
    foreign = [name for name in foreign if not is_leftover(name)]
    if foreign:
        raise ResumeError(
            f"{path}: not a run folder (no {RUN_FILE}) and not empty (it holds {min(foreign)}); "
            "choose another --run."
        )


def refuse_other_task(path: Path, old: str, new: str) -> None:
    """Checks that a re-opened run trains what it was made to train.

    Raises:
        ResumeError: it trains something else.
    """
    if old != new:
        raise ResumeError(
            f"{path}: holds a run of the task '{shortened(old)}', not '{new}'; choose another "
            "--run."
        )


def refuse_other_recipe(path: Path, old: str, new: str | None) -> None:
    """Checks that a re-opened run has the recipe that is named, if one is and the run says its own.

    Raises:
        ResumeError: it has another.
    """
    if new and old and old != new:
        raise ResumeError(
            f"{path} was made with other settings: recipe {shortened(old)} -> {shortened(new)}. "
            "Drop these options to resume it, or choose another --run."
        )


def refuse_other_settings(
    path: Path, old: dict[str, Any], new: dict[str, Any], may_change: Collection[str]
) -> None:
    """Checks that a re-opened run has the settings it was made with.

    Raises:
        ResumeError: settings other than `may_change` differ; the sentence names the first few.
    """
    before, after = dict(flatten(old)), dict(flatten(new))
    names = [name for name in {**before, **after} if name not in may_change]
    differences = [
        f"{shortened(name)} {shortened(before.get(name, 'absent'))} -> "
        f"{shortened(after.get(name, 'absent'))}"
        for name in names
        if before.get(name, "absent") != after.get(name, "absent")
    ]
    if not differences:
        return
    more = len(differences) - MAX_DIFFERENCES
    shown = ", ".join(differences[:MAX_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
    raise ResumeError(
        f"{path} was made with other settings: {shown}. "
        "Drop these options to resume it, or choose another --run."
    )


def refuse_other_data(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Checks that a re-opened run has the data it was made with, by fingerprint.

    Raises:
        ResumeError: the fingerprints differ.
    """
    before, after = old.get("data_fingerprint"), new.get("data_fingerprint")
    if before != after:
        raise ResumeError(
            f"{path} was trained on other data (fingerprint {shortened(before)}, now {after}). "
            "Restore that data to resume it, or choose another --run."
        )


def new_record(
    task: str, recipe: str, config: dict[str, Any], provenance: dict[str, Any]
) -> dict[str, Any]:
    """The content of `run.json` for a run that starts now."""
    record = {
        "format": FORMAT,
        TASK: task,
        "recipe": recipe,
        "status": "running",
        "reason": "",
        "images_seen": 0,
        "created": now(),
        "config": config,
        "provenance": provenance,
    }
    return record | {HISTORY: history_of(record)}


def history_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The budgets of a run, the first one first; of one of version 0.1, that of its settings."""
    if HISTORY in record:
        return list(record[HISTORY])
    budget, start = record["config"].get(BUDGET), Standing(num_seen=0, seconds=0.0)
    command = str(record["provenance"].get("command", ""))
    created = str(record.get("created", ""))
    return [entry(budget, start, created, command)] if isinstance(budget, dict) else []


def read_record(path: Path) -> dict[str, Any]:
    """The content of `run.json` in the run folder `path`.

    Raises:
        ResumeError: it is missing, damaged, not ours, or of another format.
    """
    file = path / RUN_FILE
    record = read_json(file, error=ResumeError, advice=f"{NOT_OURS}{ELSEWHERE}")
    if not isinstance(record, dict) or not record.keys() >= FIELDS:
        raise ResumeError(f"{file}: is not the record of a run; choose another --run.")
    if record["format"] != FORMAT:
        raise ResumeError(
            f"{file}: format {shortened(record['format'])}, this version of orthogan reads "
            f"{FORMAT}; use the version that made the run, or choose another --run."
        )
    check_shape(_Record, record, file, ResumeError, f"{ELSEWHERE}.")
    record.setdefault(TASK, _task_of_old(record["config"]))
    return record


def _task_of_old(config: dict[str, Any]) -> str:
    """What a run of version 0.1 trains, which did not write it down."""
    data = config.get("data")
    if isinstance(data, dict) and "tokeniser" in data:
        return "language"
    return "classify" if "network" in config else "gan"


def described_part(record: dict[str, Any], part: str, path: Path) -> dict[str, Any]:
    """A part of the settings in the record of the run folder `path`, such as `data`.

    Raises:
        ResumeError: it is missing or damaged.
    """
    found = record["config"].get(part)
    if not isinstance(found, dict):
        raise ResumeError(f"{path / RUN_FILE}: 'config.{part}' is missing or damaged{ELSEWHERE}.")
    return found


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
