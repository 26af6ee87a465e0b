"""What a comparison needs to know about one kind of run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from orthogan.classification import ClassificationConfig
from orthogan.experiments.costs import Costs
from orthogan.experiments.scores import NOWHERE, Kept, Measure, check_own, own_scores
from orthogan.gan.config import TrainingConfig
from orthogan.language import LanguageConfig
from orthogan.registry import Registry
from orthogan.statistics import Range
from orthogan.training.task import TASKS

RunConfig: TypeAlias = TrainingConfig | ClassificationConfig | LanguageConfig
DEFAULT_TASK = "gan"


class ComparedTask(ABC):
    """How runs of one kind are configured, trained, scored and counted.

    Attributes:
        name: As in `run.json`, and what `--task` takes.
        noun: What one run trains, for sentences.
        command: The command of such a run.
        takes: Fields of an `ExperimentSpec` that this command takes; others do nothing here.
        config_type: The settings of a run.
        scores: How the names of the scores begin that are measured during training.
        better: `higher` or `lower`; empty where each metric decides.
        digits: Significant digits of a score in the table.
        scored_by: Settings that decide what a score counts; equal in runs that are compared.
        splits_by_seed: Whether the seed may choose what is held out for scoring.
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    command: ClassVar[str]
    takes: ClassVar[tuple[str, ...]]
    config_type: ClassVar[type[TrainingConfig | ClassificationConfig | LanguageConfig]]
    scores: ClassVar[tuple[str, ...]]
    better: ClassVar[str]
    digits: ClassVar[int]
    scored_by: ClassVar[tuple[str, ...]] = ()
    splits_by_seed: ClassVar[bool] = False

    @property
    def unit(self) -> str:
        """What budgets and `images_seen` count."""
        return TASKS[self.name].unit

    def base(self, model: str) -> RunConfig:  # noqa: ARG002 - of GANs there are several
        """The default settings."""
        return self.config_type()

    @abstractmethod
    def resolve(self, **options: Any) -> RunConfig:
        """The settings of a run, fitted to its data: what its command would run.

        Raises:
            SettingError: a setting is unknown, or cannot have this value.
            ConfigError: settings cannot be combined.
            DataError: the data cannot be loaded, or are too few for these settings.
        """

    @abstractmethod
    def train(self, **options: Any) -> str:
        """Make a run, or go on with it; the status in which it stopped.

        Raises:
            DivergedError: training broke down.
            StorageError: the disk is full.
        """

    @abstractmethod
    def check_scores(self, measure: Measure, config: RunConfig) -> None:
        """Refuses, before hours of training, what `evaluation` would refuse after them.

        Raises:
            ConfigError: a metric has no meaning for these runs, or `num_images` has no effect.
            UnknownNameError: no such metric.
        """

    @abstractmethod
    def evaluation(self, run: Path, measure: Measure, kept: Kept) -> dict[str, Any]:
        """The scores of a finished run, under `scores`, and what was found beside them.

        Raises:
            BundleError: the run lacks what it is scored by.
            ConfigError: as in `check_scores`.
            UnknownNameError: as in `check_scores`.
        """

    def why_again(self, run: Path, measure: Measure, kept: Kept) -> str:  # noqa: ARG002
        """Why `evaluation` would measure instead of reading a kept score; empty if it reads."""
        return ""  # runs that score themselves keep their score

    @abstractmethod
    def range_of(self, metric: str) -> Range:
        """Where the values of a metric can lie."""

    @abstractmethod
    def costs(self, config: RunConfig) -> Costs:
        """What a run with these settings costs; takes one training step on random data."""

    def step_size(self, config: RunConfig) -> int:
        """By how much one step moves `images_seen`."""
        return config.batch_size


class SelfScoringTask(ComparedTask):
    """Runs that end with a score of their own, on all that they held out."""

    @abstractmethod
    def metric(self, config: RunConfig) -> str:
        """The name of that score."""

    def check_scores(self, measure: Measure, config: RunConfig) -> None:
        """Refuses all but that score."""
        check_own(self.metric(config), measure)

    def evaluation(self, run: Path, measure: Measure, kept: Kept = NOWHERE) -> dict[str, Any]:  # noqa: ARG002
        """The score that the run ended with; the run itself keeps it."""
        return own_scores(run, measure)


COMPARED: Registry[type[ComparedTask]] = Registry("task", group="tasks")


def task_of(config: RunConfig) -> ComparedTask:
    """The task of a run with these settings."""
    return next(kind for kind in _kinds() if isinstance(config, kind.config_type))()


def task_of_record(record: Mapping[str, Any]) -> ComparedTask:
    """The task of the run whose `run.json` this is.

    Raises:
        UnknownNameError: it is none of this version.
    """
    return COMPARED[record["task"]]()


def named(task: str) -> dict[str, str]:
    """The entry of a task in a file; files from before there were several have none."""
    return {} if task == DEFAULT_TASK else {"task": task}


def is_live_score(name: str) -> bool:
    """Whether a name in a line of `metrics.jsonl` is that of a score.

    >>> is_live_score("accuracy"), is_live_score("test images")
    (True, False)
    """
    return any(name.startswith(kind.scores) for kind in _kinds())


def _kinds() -> list[type[ComparedTask]]:
    return [COMPARED[name] for name in COMPARED]
