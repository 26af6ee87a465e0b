"""Training a GAN, as a task."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from orthogan import data as image_data
from orthogan.data import ImageSet
from orthogan.data.arranging import IID
from orthogan.data.balance import CLASSES, balance_note
from orthogan.data.inspection import inspect
from orthogan.data.ordering import arrangement_note, check_arrangement
from orthogan.errors import ConfigError
from orthogan.evaluation import LiveScore
from orthogan.evaluation.description import Report
from orthogan.evaluation.waiting import telling
from orthogan.gan.augmentation_rule import resolved_augmentation, said_of_augmentation
from orthogan.gan.compile_trial import resolve_compilation
from orthogan.gan.conditions import kept_clusters, resolved_condition, said
from orthogan.gan.config import TrainingConfig, arrangement
from orthogan.gan.emphasis_rule import resolved_emphasis, said_of_emphasis
from orthogan.gan.recipes import RECIPES
from orthogan.gan.session import GanSession
from orthogan.gan.sharing import refuse_unshared
from orthogan.gan.trainer import Trainer
from orthogan.gan.unseen import num_kept_back, unseen_images
from orthogan.organizing.leaving_out import DROP, without_copies
from orthogan.parallel import current
from orthogan.training.config import DataConfig
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.task import TASKS, Task


@TASKS.register("gan")
class GanTask(Task[TrainingConfig, ImageSet]):
    """A generator and a discriminator, from images."""

    name = "gan"
    recipes = RECIPES
    default_recipe = run_suffix = "attention-gan"

    def __init__(self) -> None:
        self._unseen: tuple[DataConfig, ImageSet, ImageSet | None] | None = None

    def locate(self, source: str) -> str:
        """The name of a data set as it is, a path absolute."""
        return image_data.resolved(source)

    def load(self, config: TrainingConfig) -> ImageSet:
        """The images that a configuration names."""
        images = image_data.load(config.data.source, **config.data.form())
        return without_copies(images) if config.data.copies == DROP else images

    def fit(self, config: TrainingConfig, data: ImageSet) -> TrainingConfig:
        """The configuration with both networks made for these images and their classes."""
        check_arrangement(data, arrangement(config))
        shaped = config.evolve(
            generator=config.generator.fitted(data.size, data.colours).to_dict(),
            discriminator=config.discriminator.fitted(data.size, data.colours).to_dict(),
        )
        if config.until == "converged" and self._unseen_images(config, data) is None:
            num_kept_back(config, data)  # refuses a set that is too small, before a run begins
        return resolved_emphasis(
            resolved_augmentation(resolved_condition(shaped, data), data), data
        )

    def notes(self, config: TrainingConfig, data: ImageSet) -> Iterable[str]:
        """What the images are, which settings have no effect, and how classes are balanced."""
        yield from inspect(data).lines()
        yield from config.without_effect()
        if config.data.balance == CLASSES and data.training_labels is not None:
            yield balance_note(data.training_labels, data.class_names)
        if config.data.batches != IID:
            yield arrangement_note(data, arrangement(config), config.seed)

    def why(self, config: TrainingConfig, data: ImageSet) -> Iterable[str]:
        """What both networks are conditioned on, and what the discriminator sees."""
        return said(config), said_of_augmentation(config, data), said_of_emphasis(config, data)

    def fingerprint(self, data: ImageSet) -> str:
        """Changes with any pixel or label."""
        return data.fingerprint()

    def start(
        self,
        config: TrainingConfig,
        data: ImageSet,
        device: torch.device,
        folder: RunFolder,
        display: ProgressDisplay,
    ) -> GanSession:
        """A session with a live score, where the images are enough for one."""
        clusters = kept_clusters(config, folder.path, len(data))
        unseen = self._unseen_images(config, data)
        trainer = Trainer(config, data, device, clusters, unseen, current())
        score = _live_score(data, trainer.unseen, telling(display.note))
        if score is None:
            display.note(f"{len(data)} images are too few to score during training.")
        if found := resolve_compilation(trainer, folder.facts.get("seconds", 0.0)):
            display.note(found)
        return GanSession(trainer, folder, display, score)

    def refuse_processes(self, config: TrainingConfig, count: int) -> None:
        """Nothing, if so many processes can share each batch of a run.

        Raises:
            ConfigError: they cannot.
        """
        refuse_unshared(config, count)

    def follower(self, config: TrainingConfig, data: ImageSet, device: torch.device) -> Trainer:
        """A trainer that the first process has take its steps."""
        unseen = self._unseen_images(config, data)
        return Trainer(config, data, device, unseen=unseen, ranks=current())

    def _unseen_images(self, config: TrainingConfig, images: ImageSet) -> ImageSet | None:
        """As `unseen_images`, of one source once: it may be large, or far away."""
        if self._unseen is None or self._unseen[0] != config.data or self._unseen[1] is not images:
            self._unseen = (config.data, images, unseen_images(config, images))
        return self._unseen[2]

    def next_words(self, path: Path) -> list[str | Path]:
        """Look at what it draws."""
        return ["orthogan", "sample", path]


def _live_score(images: ImageSet, unseen: ImageSet | None, report: Report) -> LiveScore | None:
    try:
        return LiveScore(images, report=report, unseen=unseen)
    except ConfigError:
        return None
