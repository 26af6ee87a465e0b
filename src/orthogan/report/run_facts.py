"""What the folder of a run holds, read without trust, whatever state the run is in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from orthogan.config import flatten
from orthogan.errors import DataError, OrthoganError, ResumeError
from orthogan.files import read_json
from orthogan.training.lock import FolderLock
from orthogan.training.metrics_file import read_metrics, written_metrics
from orthogan.training.run_folder import SCORE_FILE
from orthogan.training.run_record import RUN_FILE, read_record
from orthogan.training.task import TASKS

Record: TypeAlias = dict[str, Any]
Points: TypeAlias = tuple[list[float], list[float]]
LARGEST = 1e30  # that is drawn; arithmetic on far larger numbers overflows
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Score:
    """A number of a run, and what it is to be compared with; None where that is not known."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    n: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run as its folder tells it.

    Attributes:
        path: The folder.
        record: `run.json`.
        status: As `orthogan runs` shows it: a run whose process is gone was interrupted.
        lines: Records that led to where the run stands.
        written: All records in the order in which they were written.
        grids: Sample grids by image count, in order.
        checkpoints: Image counts, in order.
        final: What `score.json` holds; empty where there is none.
        notes: What could not be read, a sentence each.
    """

    path: Path
    record: Record = field(repr=False)
    status: str
    lines: list[Record] = field(repr=False)
    written: list[Record] = field(repr=False)
    grids: dict[int, Path] = field(repr=False)
    checkpoints: tuple[int, ...]
    final: Record = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """`gan`, `classify`, `language`, or whatever a plugin trains."""
        return str(self.record["task"])

    @property
    def unit(self) -> str:
        """What is counted: `images` or `tokens`."""
        return "tokens" if self.record.get("unit") == "tokens" else "images"

    @property
    def num_seen(self) -> int:
        """Progress, also where the record is older than the last line."""
        last = self.lines[-1]["images_seen"] if self.lines else 0
        return int(max(self.record["images_seen"], last))

    @property
    def seconds(self) -> float:
        """Of training."""
        last = number(self.lines[-1].get("elapsed_s")) if self.lines else None
        return max(float(self.record.get("seconds", 0.0)), last or 0.0)

    @property
    def settings(self) -> Record:
        """Dotted names and values, those that a later version has brought at their defaults."""
        recorded: Record = self.record["config"]
        try:
            task = TASKS[self.task]
            usual = task.recipes[task.default_recipe]()
        except LookupError:  # of a plugin that is not here
            return dict(flatten(recorded))
        return dict(flatten(type(usual).complete(recorded)))

    @property
    def seed(self) -> int:
        """Of all randomness."""
        seed = self.record["config"].get("seed")
        return seed if type(seed) is int else 0

    def points(self, event: str, *keys: str) -> Points:
        """Image counts and values of a number in the lines of one kind, where it is finite.

        Args:
            event: Kind of line.
            keys: Where the number stands, from the outside in.
        """
        seen: list[float] = []
        values: list[float] = []
        for line in self.lines:
            if line.get("event", "") != event:
                continue
            value = number(within(line, *keys))
            if value is not None and abs(value) <= LARGEST:
                seen.append(float(line["images_seen"]))
                values.append(value)
        return seen, values

    def latest(self, event: str) -> Record:
        """The last line of one kind; empty without any."""
        found = [line for line in self.lines if line.get("event", "") == event]
        return found[-1] if found else {}

    @property
    def distance_name(self) -> str:
        """The name of the live distance, such as `fd[digits-cls@6943ee]`; empty without one."""
        names = (key for line in self.lines if line.get("event") == "score" for key in line)
        return next((name for name in names if name.startswith("fd[")), "")

    @property
    def verdict(self) -> str:
        """What the run was told of its images at its end; empty if nothing."""
        found = self.latest("verdict").get("verdict")
        return found if isinstance(found, str) else ""

    @property
    def scores(self) -> list[Score]:
        """The final scores: those behind the verdict or in `score.json`, and the live distance."""
        found = scores_of(self.latest("verdict").get("scores")) or scores_of(
            self.final.get("scores")
        )
        line, name = self.latest("score"), self.distance_name
        value = number(line.get(name))
        if name and value is not None:
            found.insert(0, Score(name, value, floor=number(line.get("floor"))))
        return found


def read_run(path: Path) -> RunFacts:
    """What a run folder holds.

    Raises:
        DataError: it is no run folder, or its `run.json` is damaged.
        StorageError: a file cannot be read.
    """
    if not (path / RUN_FILE).is_file():
        what = f"is not a run folder (it has no {RUN_FILE})" if path.exists() else "does not exist"
        raise DataError(
            f"{path}: {what}; name a folder that training wrote, as `orthogan runs` lists them."
        )
    try:
        record = read_record(path)
    except ResumeError as error:
        raise DataError(str(error).replace("choose another --run", "name another run")) from None
    notes: list[str] = []
    lines = read_metrics(path / "metrics.jsonl", notes.append)
    status = record["status"]
    if status == "running" and not FolderLock.is_held(path / ".lock"):
        status = "interrupted"
    seen = max(record["images_seen"], lines[-1]["images_seen"] if lines else 0)
    return RunFacts(
        path=path,
        record=record,
        status=status,
        lines=lines,
        written=written_metrics(path / "metrics.jsonl"),
        grids={at: file for at, file in _numbered(path / "samples", ".png") if at <= seen},
        checkpoints=tuple(at for at, _ in _numbered(path / "checkpoints", "")),
        final=_final(path, notes.append),
        notes=tuple(notes),
    )


def number(value: object) -> float | None:
    """A finite number, or None: anybody may have written the line.

    >>> number(1), number(True), number(float("nan")), number("1")
    (1.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def within(tree: object, *keys: str) -> Any:
    """What stands at these keys of nested mappings; None if one is missing.

    >>> within({"a": {"b": 2}}, "a", "b"), within({"a": 1}, "a", "b")
    (2, None)
    """
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def texts(value: object) -> list[str]:
    """The texts of a list; none of anything else."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def scores_of(tree: object) -> list[Score]:
    """The scores of an evaluation as JSON holds it; what is no number is left out."""
    found = []
    for name, row in tree.items() if isinstance(tree, Mapping) else ():
        value = number(within(row, "value"))
        if value is None:
            continue
        low, high, floor = (number(within(row, key)) for key in ("low", "high", "floor"))
        n = within(row, "n")
        found.append(Score(str(name), value, low, high, floor, n if type(n) is int else None))
    return found


def _numbered(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    found = [
        (int(file.name.removesuffix(suffix)), file)
        for file in folder.iterdir()
        if _NUMBER.fullmatch(file.name.removesuffix(suffix)) and file.suffix == suffix
    ]
    return sorted(found)


def _final(path: Path, note: Callable[[str], object]) -> Record:
    file = path / SCORE_FILE
    if not file.exists():
        return {}
    try:
        found = read_json(file)
    except OrthoganError as error:
        note(str(error))
        return {}
    return found if isinstance(found, dict) else {}
