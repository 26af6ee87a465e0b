"""A task: what differs between training a GAN, a classifier and a language model.

Everything else about a run (its folder, device, threads, what is said, resuming, stopping) is
`train_run`, once for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from pydantic import BaseModel

from orthogan.config import Config
from orthogan.devices import pick_device
from orthogan.registry import Registry
from orthogan.terminal import pasteable
from orthogan.training.launch import open_run, set_threads
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run import Run, stopped_run
from orthogan.training.run_folder import RunFolder
from orthogan.training.session import Session

ConfigT = TypeVar("ConfigT", bound=Config)
DataT = TypeVar("DataT")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Where and with what a run goes on.

    Attributes:
        path: The run folder.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; None: as before, else one per usable core.
        show_progress: Show progress on stderr.
    """

    path: Path
    device: str = "auto"
    threads: int | None = None
    show_progress: bool = True


class Task(ABC, Generic[ConfigT, DataT]):
    """One kind of training.

    Attributes:
        name: Stands in `run.json`, and is what `orthogan compare --task` takes.
        unit: What budgets and runs count.
        score_shape: What stands in `score.json` at the end; None: this task writes none.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "images"
    score_shape: ClassVar[type[BaseModel] | None] = None

    @abstractmethod
    def load(self, config: ConfigT) -> DataT:
        """The data that a configuration names."""

    @abstractmethod
    def fit(self, config: ConfigT, data: DataT, device: torch.device) -> ConfigT:
        """The configuration with its networks made for the data and every `auto` resolved."""

    @abstractmethod
    def fingerprint(self, data: DataT) -> str:
        """Changes with any of the data."""

    @abstractmethod
    def notes(self, config: ConfigT, data: DataT) -> Iterable[str]:
        """What is to be said of the data and the settings before training."""

    @abstractmethod
    def start(
        self,
        config: ConfigT,
        data: DataT,
        device: torch.device,
        folder: RunFolder,
        display: ProgressDisplay,
    ) -> Session[Any]:
        """A session that goes on from where the folder stands."""

    @abstractmethod
    def next_words(self, path: Path) -> list[str | Path]:
        """The command to type once the run at `path` is done."""


TASKS: Registry[type[Task[Any, Any]]] = Registry("task")


def train_run(task: Task[ConfigT, DataT], asked: ConfigT, launch: Launch) -> Run:
    """Trains to the end of the budget, or to a stop; the same arguments go on.

    Raises:
        ConfigError: a setting does not fit the data.
        DataError: the data cannot be loaded.
        ResumeError: the run folder holds another run.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
    """
    path, device = launch.path, pick_device(launch.device)
    about_threads = set_threads(launch.threads, path)
    data = task.load(asked)
    config = task.fit(asked, data, device)
    with open_run(path, task.name, config, device, task.fingerprint(data)) as folder:
        display = ProgressDisplay(path.name, launch.show_progress)
        for sentence in (*task.notes(config, data), *folder.changes, *about_threads):
            display.note(sentence)
        status, reason = "done", f"{path} is already trained to the end of its budget."
        if folder.status != "done":
            status, reason = task.start(config, data, device, folder, display).train()
        run = stopped_run(folder, status, reason, task.unit, pasteable(task.next_words(path)))
        if task.score_shape is None:
            return run
        score = folder.score(task.score_shape) if status == "done" else {}
        return replace(run, score=score)
