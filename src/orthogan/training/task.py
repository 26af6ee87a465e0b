"""A task: what differs between training a GAN, a classifier and a language model.

Everything else about a run (its folder, device, threads, what is said, resuming, stopping) is
`train_run`, once for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import BaseModel

from orthogan import rng
from orthogan.devices import pick_device
from orthogan.registry import Registry
from orthogan.terminal import pasteable
from orthogan.training.config import RunConfig
from orthogan.training.launch import default_run, open_run, set_threads
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.training.request import Request, merged
from orthogan.training.run import Run, stopped_run
from orthogan.training.run_folder import RunFolder
from orthogan.training.session import Session

ConfigT = TypeVar("ConfigT", bound=RunConfig)


@runtime_checkable
class Noted(Protocol):
    """Data that say what was done to them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was resized or left out, a sentence each."""


DataT = TypeVar("DataT", bound=Noted)


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Where and with what a run goes on.

    Attributes:
        path: The run folder; None: named by the data, the recipe and the seed.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; None: as before, else one per usable core.
        show_progress: Show progress on stderr.
    """

    path: Path | str | None = None
    device: str = "auto"
    threads: int | None = None
    show_progress: bool = True


class Task(ABC, Generic[ConfigT, DataT]):
    """One kind of training.

    Attributes:
        name: Stands in `run.json`, and is what `orthogan compare --task` takes.
        unit: What budgets and runs count.
        recipes: Whole configurations by name.
        default_recipe: The one that is trained if none is named.
        run_suffix: Stands in the name of a run folder where no recipe is named.
        score_shape: What stands in `score.json` at the end; None: this task writes none.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "images"
    recipes: ClassVar[Registry[Callable[[], Any]]]
    default_recipe: ClassVar[str]
    run_suffix: ClassVar[str]
    score_shape: ClassVar[type[BaseModel] | None] = None

    @abstractmethod
    def load(self, config: ConfigT) -> DataT:
        """The data that a configuration names."""

    def requested(self, request: Request) -> ConfigT:
        """The settings that a request comes to, before anything is known of the data.

        Raises:
            ConfigError: a setting is unknown, does not fit, or clashes with another.
            UnknownNameError: no such recipe.
        """
        recipe: ConfigT = self.recipes[request.model or self.default_recipe]()
        return merged(recipe, request, self.unit, self.locate)

    def locate(self, source: str) -> str:
        """A source of data as a run writes it down."""
        return source

    def resolve(self, config: ConfigT, data: DataT, device: torch.device) -> ConfigT:
        """The settings for these data, every `auto` resolved and every network built once.

        Raises:
            ConfigError: a setting does not fit the data, or a network cannot be built.
        """
        precision = resolve_precision(config.precision, device)
        resolved = self.fit(config, data).evolve(precision=precision)
        # What only building tells, such as heads that do not divide a width, is told before a run.
        with rng.initialization(config.seed, "check"):
            for name in type(resolved).model_fields:
                build = getattr(getattr(resolved, name), "build", None)
                if build is not None:
                    build()
        return resolved

    @abstractmethod
    def fit(self, config: ConfigT, data: DataT) -> ConfigT:
        """The configuration with its networks made for the data."""

    @abstractmethod
    def fingerprint(self, data: DataT) -> str:
        """Changes with any of the data."""

    def notes(self, config: ConfigT, data: DataT) -> Iterable[str]:
        """What was resized or left out, and which settings have no effect."""
        return (*data.notes, *config.without_effect())

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


TASKS: Registry[type[Task[Any, Any]]] = Registry(
    "task", "orthogan.gan.task", "orthogan.classification.task", "orthogan.language.task"
)


def resolve_run(task: Task[ConfigT, DataT], request: Request) -> ConfigT:
    """The configuration that `train_run` with the same request would run.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        UnknownNameError: no such recipe.
        DataError: the data cannot be loaded.
    """
    config = task.requested(request)
    return task.resolve(config, task.load(config), pick_device("auto"))


def train_run(task: Task[ConfigT, DataT], request: Request, launch: Launch) -> Run:
    """Trains to the end of the budget, or to a stop; the same arguments go on.

    Raises:
        ConfigError: a setting does not fit the data.
        DataError: the data cannot be loaded.
        ResumeError: the run folder holds another run.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
    """
    requested = task.requested(request)
    source, named = requested.to_dict()["data"]["source"], request.model or task.run_suffix
    path = Path(launch.path or default_run(source, named, requested.seed))
    device = pick_device(launch.device)
    about_threads = set_threads(launch.threads, path)
    data = task.load(requested)
    config = task.resolve(requested, data, device)
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
