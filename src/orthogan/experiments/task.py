"""What a comparison needs to know about one kind of run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from orthogan.classification import ClassificationConfig
from orthogan.experiments.costs import Costs
from orthogan.experiments.scores import NOWHERE, Kept, check_own, own_scores
from orthogan.gan.config import TrainingConfig
from orthogan.language import LanguageConfig
from orthogan.statistics.ranges import Range

RunConfig: TypeAlias = TrainingConfig | ClassificationConfig | LanguageConfig


class Task(ABC):
    """How runs of one kind are asked for, trained, scored and counted.

    Attributes:
        name: What `--task` calls it.
        noun: What one run trains, for sentences.
        command: The command of such a run.
        takes: Parts of a spec that this command takes too; the other ones do nothing here.
        config_type: The settings of a run.
        scores: How the names of the scores begin that are taken during training.
        better: `higher` or `lower`; empty where each metric decides.
        digits: Significant digits of a score in the table.
        unit: What budgets and `images_seen` count.
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
    unit: ClassVar[str] = "images"
    scored_by: ClassVar[tuple[str, ...]] = ()
    splits_by_seed: ClassVar[bool] = False

    def base(self, model: str) -> RunConfig:  # noqa: ARG002 - of GANs there are several
        """The settings where nothing is asked for."""
        return self.config_type()

    @abstractmethod
    def resolve(self, **asked: Any) -> RunConfig:
        """The settings of a run, fitted to its data: what its command would run.

        Args:
            asked: What `train` takes, without where it runs.

        Raises:
            SettingError: a setting is unknown, or cannot have this value.
            ConfigError: settings cannot be combined.
            DataError: the data cannot be loaded, or are too few for these settings.
        """

    @abstractmethod
    def train(self, **asked: Any) -> str:
        """Make a run, or go on with it; the status in which it stopped.

        Raises:
            DivergedError: training broke down.
            StorageError: the disk is full.
        """

    @abstractmethod
    def check_scores(
        self, metrics: Sequence[str] | None, num_images: int | None, config: RunConfig
    ) -> None:
        """Refuses, before hours of training, what `evaluation` would refuse after them.

        Raises:
            ConfigError: a metric has no meaning for these runs, or `num_images` has no effect.
            UnknownNameError: no such metric.
        """

    @abstractmethod
    def evaluation(
        self, run: Path, metrics: Sequence[str] | None, num_images: int | None, kept: Kept
    ) -> dict[str, Any]:
        """The scores of a finished run, under `scores`, and what was found beside them.

        Args:
            run: Its folder.
            metrics: Names; the usual one if None.
            num_images: Images to measure on; the usual number if None.
            kept: Earlier evaluations, to read and to add to.

        Raises:
            BundleError: the run lacks what it is scored by.
            ConfigError: as in `check_scores`.
            UnknownNameError: as in `check_scores`.
        """

    def why_again(
        self,
        run: Path,  # noqa: ARG002 - runs that score themselves keep their score
        metrics: Sequence[str] | None,  # noqa: ARG002
        num_images: int | None,  # noqa: ARG002
        kept: Kept,  # noqa: ARG002
    ) -> str:
        """Why `evaluation` would measure instead of reading; empty if it would read."""
        return ""

    @abstractmethod
    def range_of(self, metric: str) -> Range:
        """Where the values of a metric can lie."""

    @abstractmethod
    def costs(self, config: RunConfig) -> Costs:
        """What a run with these settings costs; takes one training step on random data."""

    def step_size(self, config: RunConfig) -> int:
        """How much of what the unit counts one step shows."""
        return config.batch_size


class SelfScoringTask(Task):
    """Runs that end with a score of their own, on all that they held out."""

    @abstractmethod
    def metric(self, config: RunConfig) -> str:
        """The name of that score."""

    def check_scores(
        self, metrics: Sequence[str] | None, num_images: int | None, config: RunConfig
    ) -> None:
        """Refuses all but that score."""
        check_own(self.metric(config), metrics, num_images)

    def evaluation(
        self,
        run: Path,
        metrics: Sequence[str] | None,
        num_images: int | None,
        kept: Kept = NOWHERE,
    ) -> dict[str, Any]:
        """The score that the run ended with; nothing is kept, for the run keeps it."""
        _ = kept
        return own_scores(run, metrics, num_images)
