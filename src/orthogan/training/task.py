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
from orthogan.config import flatten
from orthogan.errors import ConfigError, DataError, ResumeError
from orthogan.parallel import Ranks, joined
from orthogan.parallel.lost import EndedElsewhereError
from orthogan.parallel.ranks import device_of
from orthogan.registry import Registry
from orthogan.terminal import pasteable
from orthogan.training.afterwards import reporting
from orthogan.training.config import RunConfig
from orthogan.training.launch import (
    EarlierRun,
    chosen_device,
    default_run,
    earlier_run,
    open_run,
    set_threads,
)
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.training.request import Request, merged
from orthogan.training.run import Run, as_facts, resuming, run_of, stopped_run
from orthogan.training.run_folder import RunFolder
from orthogan.training.run_record import (
    DATA_PLACES,
    ELSEWHERE,
    RUN_FILE,
    refuse_other_data,
)
from orthogan.training.session import Session, Trained
from orthogan.training.stop_signals import StopSignals

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

    def requested(self, request: Request, earlier: EarlierRun | None = None) -> ConfigT:
        """The settings that a request comes to, before anything is known of the data.

        Args:
            request: What is asked for.
            earlier: The run that goes on, whose settings hold where nothing is asked for; None:
                those of the recipe do.

        Raises:
            ConfigError: a setting is unknown, does not fit, or clashes with another.
            ResumeError: the settings of the run are not of this version.
            UnknownNameError: no such recipe.
        """
        base: ConfigT = self.recipes[request.model or self.default_recipe]()
        if earlier is not None:
            try:
                own = type(base)(**type(base).complete(earlier.record["config"]))
            except (ConfigError, LookupError) as error:
                raise ResumeError(
                    f"{earlier.path / RUN_FILE}: its settings are not of this version: "
                    f"{str(error).removesuffix('.')}{ELSEWHERE}."
                ) from None
            # A run of version 0.1 does not say its recipe: what is named must come to the same.
            is_named = request.model is not None and not earlier.record.get("recipe")
            base = _settled(base.evolve(budget=own.budget.to_dict()), own) if is_named else own
        return merged(base, request, self.unit, self.locate)

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

    def why(self, config: ConfigT, data: DataT) -> Iterable[str]:  # noqa: ARG002 - for tasks
        """Which settings follow from the data and why, a sentence each, of a resolved run."""
        return ()

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

    def refuse_processes(self, config: ConfigT, count: int) -> None:
        """Nothing, if so many processes can train together.

        Raises:
            ConfigError: they cannot.
        """
        del config
        if count > 1:
            raise ConfigError(
                f"{count} processes were started, and a run of '{self.name}' trains in one; start "
                "it without torchrun or srun, or with one task."
            )

    def follower(self, config: ConfigT, data: DataT, device: torch.device) -> Trained:
        """What takes the steps of the first process in each of the others."""
        del config, data, device
        raise NotImplementedError  # refused before

    @abstractmethod
    def next_words(self, path: Path) -> list[str | Path]:
        """The command to type once the run at `path` is done."""


TASKS: Registry[type[Task[Any, Any]]] = Registry(
    "task",
    "orthogan.gan.task",
    "orthogan.classification.task",
    "orthogan.language.task",
    group="tasks",
)


def _settled(recipe: ConfigT, own: ConfigT) -> ConfigT:
    """A recipe, with what it leaves open in its networks as a run has settled it."""
    settled = own.settings()
    changes = [
        f"{name}={settled[name]}"
        for name, value in recipe.settings().items()
        if name.startswith(("generator.", "discriminator."))
        and value is None
        and settled.get(name) is not None
    ]
    return recipe.evolve(*changes)


def resolve_run(
    task: Task[ConfigT, DataT], request: Request, run: Path | str | None = None
) -> ConfigT:
    """The configuration that `train_run` with the same request would run.

    Args:
        task: What would be trained.
        request: What is asked for.
        run: The run folder; as in `Launch`.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        UnknownNameError: no such recipe.
        DataError: the data cannot be loaded.
        ResumeError: the run folder holds another run.
    """
    _, config, earlier = _planned(task, request, run)
    data = _loaded(task, config, request, earlier)
    return task.resolve(config, data, chosen_device("auto", earlier))


def train_run(task: Task[ConfigT, DataT], request: Request, launch: Launch) -> Run:
    """Trains to the end of the budget, or to a stop; the same arguments go on.

    In a run that goes on, its own settings hold where nothing is asked for; what is asked for must
    be the same, except the budget, which may be another one that is not used up. Among several
    processes the first one decides, measures and writes, and all return the same.

    Raises:
        ConfigError: a setting does not fit the data.
        DataError: the data cannot be loaded.
        ResumeError: the run folder holds another run, or more than the budget asks for; or another
            process has other code, settings or data.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
        LostError: another process of the run is gone.
    """
    with joined() as ranks:
        plan = ranks.together(lambda: _plan(task, request, launch, ranks), _facts)
        if not ranks.is_first:
            return _follow(task, plan, ranks)
        run = _lead(task, plan, launch, ranks)
        ranks.end(as_facts(run))
        return run


@dataclass(frozen=True, kw_only=True)
class _Plan(Generic[ConfigT, DataT]):
    """What a run comes to, before its folder is opened."""

    path: Path
    config: ConfigT
    data: DataT
    fingerprint: str
    device: torch.device
    recipe: str | None
    about_threads: list[str]


def _plan(
    task: Task[ConfigT, DataT], request: Request, launch: Launch, ranks: Ranks
) -> _Plan[ConfigT, DataT]:
    path, requested, earlier = _planned(task, request, launch.path)
    device = device_of(chosen_device(launch.device, earlier), ranks)
    about_threads = set_threads(launch.threads, path, ranks.local_count)
    data = _loaded(task, requested, request, earlier)
    fingerprint = task.fingerprint(data)
    try:
        config = task.resolve(requested, data, device)
        task.refuse_processes(config, ranks.count)
    except ConfigError:
        if earlier is not None:  # what does not fit may be the data
            provenance = earlier.record["provenance"]
            refuse_other_data(path, provenance, {"data_fingerprint": fingerprint})
        raise
    return _Plan(
        path=path,
        config=config,
        data=data,
        fingerprint=fingerprint,
        device=device,
        recipe=request.model or (None if earlier else task.default_recipe),
        about_threads=about_threads,
    )


def _facts(plan: _Plan[Any, Any]) -> dict[str, str]:
    """What must be the same in all processes of a run; where the data lie may differ."""
    settings = {
        name: str(value)
        for name, value in flatten(plan.config.to_dict())
        if name not in DATA_PLACES
    }
    return {"data": plan.fingerprint, "device": plan.device.type} | settings


def _follow(task: Task[ConfigT, DataT], plan: _Plan[ConfigT, DataT], ranks: Ranks) -> Run:
    """Takes the steps of the first process, and ends as it does.

    Raises:
        EndedElsewhereError: it has failed.
    """
    trainer = task.follower(plan.config, plan.data, plan.device)
    stop = StopSignals()
    ranks.listen(lambda: stop.received)
    with stop.noted():
        outcome = ranks.follow(trainer)
    if "code" in outcome:
        raise EndedElsewhereError("Process 0 has ended.", int(outcome["code"]), is_told=True)
    return run_of(outcome)


def _lead(
    task: Task[ConfigT, DataT], plan: _Plan[ConfigT, DataT], launch: Launch, ranks: Ranks
) -> Run:
    path, config, data = plan.path, plan.config, plan.data
    with open_run(path, task.name, config, plan.device, plan.fingerprint, plan.recipe) as folder:
        display = ProgressDisplay(path.name, launch.show_progress)
        about = filter(None, [folder.replanned, *ranks.notes()])
        for sentence in (
            *about,
            *task.notes(config, data),
            *folder.changes,
            *plan.about_threads,
        ):
            display.note(sentence)
        if why := list(task.why(config, data)):
            folder.explain(why)
            display.note(f"Why these settings: {' '.join(why)}")
        status = "done"
        reason = f"{path} is already trained to the end of its budget; a longer one extends it."
        follows = None
        if folder.status != "done":
            with reporting(folder, data, display.note):
                session = task.start(config, data, plan.device, folder, display)
                status, reason = session.train()
                follows = session.next_words
        is_done = status == "done"
        next_words = pasteable(follows or task.next_words(path))
        words = next_words if is_done else resuming(path, config)
        run = stopped_run(folder, status, reason, task.unit, words)
        if task.score_shape is None:
            return run
        return replace(run, score=folder.score(task.score_shape) if is_done else {})


def _planned(
    task: Task[ConfigT, DataT], request: Request, run: Path | str | None
) -> tuple[Path, ConfigT, EarlierRun | None]:
    """The run folder, the settings, and the run if one goes on there."""
    if run is not None:
        path = Path(run)
        earlier = earlier_run(path, task.name)
        return path, task.requested(request, earlier), earlier
    begun = task.requested(request)
    source, named = begun.to_dict()["data"]["source"], request.model or task.run_suffix
    path = default_run(source, named, begun.seed)
    earlier = earlier_run(path, task.name)
    return path, begun if earlier is None else task.requested(request, earlier), earlier


def _loaded(
    task: Task[ConfigT, DataT], config: ConfigT, request: Request, earlier: EarlierRun | None
) -> DataT:
    try:
        return task.load(config)
    except DataError as error:
        if earlier is None or request.data.get("source") is not None:
            raise
        raise DataError(
            f"{error} {earlier.path} was trained on it; if it lies elsewhere by now, say where."
        ) from None
