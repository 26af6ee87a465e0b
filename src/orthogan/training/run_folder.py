"""The folder of one training run: what was asked, how it went, and where to resume.

`run.json` (config, provenance, status), `metrics.jsonl` (append-only), `checkpoints/`,
`samples/<images>.png`, `bundle/`. A lock keeps two processes from training into one folder; a file
`stop` asks the one that does to stop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel

from orthogan.config import check_shape
from orthogan.errors import StorageError, shortened
from orthogan.files import clean_leftovers, read_json, storage_errors, write_json
from orthogan.training.budgets import BUDGET, HISTORY, entry, refuse_used_up, replanned
from orthogan.training.checkpoint import standing
from orthogan.training.lock import FolderLock
from orthogan.training.metrics_file import append_metrics, flush_metrics, read_metrics
from orthogan.training.run_list import RunSummary, list_runs
from orthogan.training.run_record import (
    DATA_PLACES,
    FIELDS,
    RUN_FILE,
    TASK,
    describe_machine,
    history_of,
    new_record,
    now,
    read_record,
    refuse_foreign,
    refuse_other_data,
    refuse_other_recipe,
    refuse_other_settings,
    refuse_other_task,
)
from orthogan.training.stop_request import withdraw_stop

SCORE_FILE = "score.json"

__all__ = ["RunFolder", "RunSummary", "describe_machine", "list_runs", "read_metrics"]


class RunFolder:
    """A run on disk, held by one process at a time.

    `changes` has a sentence for each part of the provenance that differs from the first time
    and so may cost bit-for-bit equality; `replanned` says that the run has another budget now.
    """

    def __init__(self, path: Path, record: dict[str, Any], lock: FolderLock, resumed: bool) -> None:
        self.path = path
        self.resumed = resumed
        self.changes: tuple[str, ...] = ()
        self.replanned = ""
        self._record = record
        self._lock = lock

    @classmethod
    def open(
        cls,
        path: Path,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any],
        *,
        task: str = "gan",
        recipe: str | None = None,
        may_change: Collection[str] = (),
        complete: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> RunFolder:
        """The run folder at `path`, created or re-opened, and locked until `close`.

        Args:
            path: The folder; parents are created.
            config: Nested settings; a re-opened run must have the same, but its data may lie
                elsewhere as long as their fingerprint is the same, and its budget may be another
                as long as it is not used up.
            provenance: What made the run, as `describe_machine` returns it. The data
                fingerprint must be the same, the rest may differ and is told in `changes`.
            task: What is trained; a re-opened run must train the same.
            recipe: The name of what the settings started from; a re-opened run must have the
                same. None: as it is.
            may_change: Dotted settings that may differ without changing the result.
            complete: Adds to recorded settings those that a later version has brought, at their
                defaults.

        Raises:
            ResumeError: another process trains here, the settings or the data differ, or the
                folder holds something else.
            StorageError: the folder cannot be created or written.
        """
        refuse_foreign(path)
        with storage_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(path / ".lock")
        try:
            _clean(path)
            withdraw_stop(path)  # of an earlier session that ended before it looked
            asked = json.loads(json.dumps({"config": config, "provenance": provenance}))
            if (path / RUN_FILE).exists():
                run = cls(path, read_record(path), lock, resumed=True)
                refuse_other_task(path, run.task, task)
                refuse_other_recipe(path, run._record.get("recipe", ""), recipe)
                run._record["config"] = complete(run.config)
                run._join(asked["config"], asked["provenance"], may_change)
            else:
                run = cls(path, new_record(task, recipe or "", **asked), lock, resumed=False)
            run._write()
        except BaseException:
            lock.release()
            raise
        return run

    @property
    def task(self) -> str:
        """What is trained: `gan`, `classify` or `language`."""
        return str(self._record[TASK])

    @property
    def config(self) -> dict[str, Any]:
        """Nested settings of the run."""
        return dict(self._record["config"])

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the run the first time: versions, threads, device, data, command."""
        return dict(self._record["provenance"])

    @property
    def budgets(self) -> list[dict[str, Any]]:
        """The budgets it was given, the first one first, and where it stood each time."""
        return history_of(self._record)

    @property
    def status(self) -> str:
        """`running`, `done`, `interrupted`, `diverged`, or as `update_status` was told."""
        return str(self._record["status"])

    @property
    def images_seen(self) -> int:
        """Progress when the status was last updated."""
        return int(self._record["images_seen"])

    @property
    def facts(self) -> dict[str, Any]:
        """What `update_status` was told besides, such as `seconds` and `scores`."""
        return {name: value for name, value in self._record.items() if name not in {*FIELDS, TASK}}

    @property
    def metrics_path(self) -> Path:
        """The file of `append_metrics`."""
        return self.path / "metrics.jsonl"

    @property
    def bundle_path(self) -> Path:
        """Where the trained model goes."""
        return self.path / "bundle"

    def score(self, shape: type[BaseModel]) -> dict[str, Any]:
        """What the final score of a finished run wrote into `score.json`.

        Args:
            shape: What stands in it.

        Raises:
            StorageError: it is missing or damaged.
        """
        file = self.path / SCORE_FILE
        score: dict[str, Any] = read_json(file)
        check_shape(shape, score, file, StorageError, "; restore it, or train again elsewhere.")
        return score

    def sample_path(self, images_seen: int) -> Path:
        """Where the sample grid at an image count goes; its folder exists."""
        folder = self.path / "samples"
        with storage_errors(folder):
            folder.mkdir(exist_ok=True)
        return folder / f"{images_seen:09d}.png"

    def update_status(
        self, status: str, *, reason: str = "", images_seen: int | None = None, **facts: Any
    ) -> None:
        """Writes down how the run is doing.

        Args:
            status: `running`, `done`, `interrupted`, `diverged`, ...
            reason: One sentence on why it stopped.
            images_seen: Progress; unchanged if not given.
            facts: More to keep in `run.json`, such as `seconds` and `scores`.

        Raises:
            StorageError: `run.json` cannot be written.
        """
        seen = self.images_seen if images_seen is None else images_seen
        self._record |= facts | {"status": status, "reason": reason, "images_seen": seen}
        self._write()

    def explain(self, why: Sequence[str]) -> None:
        """Writes down which settings follow from the data and why, a sentence each.

        Raises:
            StorageError: `run.json` cannot be written.
        """
        self._record["why"] = list(why)
        self._write()

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Adds one line to `metrics.jsonl`; it should hold `images_seen`.

        Raises:
            StorageError: the file cannot be written.
        """
        append_metrics(self.metrics_path, record)

    def flush_metrics(self) -> None:
        """Flushes `metrics.jsonl` to disk, which must happen before a checkpoint is made.

        Raises:
            StorageError: the file cannot be written.
        """
        flush_metrics(self.metrics_path)

    def close(self) -> None:
        """Lets other processes open the folder."""
        self._lock.release()

    def __enter__(self) -> RunFolder:  # noqa: PYI034 - beartype refuses Self on a method
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _join(
        self, config: dict[str, Any], provenance: dict[str, Any], may_change: Collection[str]
    ) -> None:
        first = self._record["provenance"]
        same_data = first.get("data_fingerprint") == provenance.get("data_fingerprint")
        may_change = {*may_change, *DATA_PLACES} if same_data else may_change
        own = self._record["config"]
        # All the rest must be the same; on the budget, see below.
        refuse_other_settings(self.path, own, config | _part(BUDGET, own), may_change)
        refuse_other_data(self.path, first, provenance)
        self._replan(own.get(BUDGET), config.get(BUDGET), str(provenance.get("command", "")))
        self._record["config"] = config
        self.changes = tuple(
            f"{name} was {shortened(first.get(name))}, now {shortened(value)}"
            for name, value in provenance.items()
            if name != "command" and first.get(name) != value
        )
        if self.changes:
            self._record.setdefault("resumed_with", []).append(provenance)

    def _replan(self, before: Any, after: Any, command: str) -> None:
        if before == after or not isinstance(before, dict) or not isinstance(after, dict):
            return
        stands = standing(self.path)
        refuse_used_up(self.path, after, stands)
        history = [*history_of(self._record), entry(after, stands, now(), command)]
        self.replanned = replanned(self.path, before, after, stands)
        # In one write: a run that is killed from here on goes on with the new budget.
        self._record |= {HISTORY: history, "status": "running", "reason": ""}

    def _write(self) -> None:
        self._record["updated"] = now()
        write_json(self.path / RUN_FILE, self._record)


def _part(name: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tree[name]} if name in tree else {}


def _clean(path: Path) -> None:
    with storage_errors(path):
        for folder in (path, path / "checkpoints", path / "samples"):
            if folder.is_dir():
                clean_leftovers(folder, exclusive=True)
