"""Training a GAN, as a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.evaluation import LiveScore
from orthogan.gan.compile_trial import resolve_compilation
from orthogan.gan.conditions import kept_clusters, said
from orthogan.gan.config import TrainingConfig
from orthogan.gan.request import fitted, wanted_images
from orthogan.gan.session import GanSession
from orthogan.gan.trainer import Trainer
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.task import TASKS, Task


@TASKS.register("gan")
class GanTask(Task[TrainingConfig, ImageSet]):
    """A generator and a discriminator, from images."""

    name = "gan"

    def load(self, config: TrainingConfig) -> ImageSet:
        """The images that a configuration names."""
        return wanted_images(config)

    def fit(self, config: TrainingConfig, data: ImageSet, device: torch.device) -> TrainingConfig:
        """The configuration with both networks made for these images."""
        return fitted(config, data, device)

    def fingerprint(self, data: ImageSet) -> str:
        """Changes with any pixel or label."""
        return data.fingerprint()

    def notes(
        self,
        config: TrainingConfig,  # noqa: ARG002 - what they do is said when training starts
        data: ImageSet,
    ) -> Iterator[str]:
        """What was resized or left out."""
        yield from data.notes

    def start(
        self,
        config: TrainingConfig,
        data: ImageSet,
        device: torch.device,
        folder: RunFolder,
        display: ProgressDisplay,
    ) -> GanSession:
        """A session with a live score, where the images are enough for one."""
        display.note(said(config))
        score = _live_score(data)
        if score is None:
            display.note(f"{len(data)} images are too few to score during training.")
        trainer = Trainer(config, data, device, kept_clusters(config, folder.path, len(data)))
        if found := resolve_compilation(trainer, folder.facts.get("seconds", 0.0)):
            display.note(found)
        return GanSession(trainer, folder, display, score)

    def next_words(self, path: Path) -> list[str | Path]:
        """Look at what it draws."""
        return ["orthogan", "sample", path]


def _live_score(images: ImageSet) -> LiveScore | None:
    try:
        return LiveScore(images)
    except ConfigError:
        return None
