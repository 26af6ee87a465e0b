"""Training a classifier, as a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from orthogan import rng
from orthogan.classification.config import ClassificationConfig, without_effect
from orthogan.classification.examples import Lesson, load_lesson
from orthogan.classification.scoring import ClassifierScoreShape
from orthogan.classification.session import ClassificationSession
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.task import TASKS, Task


@TASKS.register("classify")
class ClassifyTask(Task[ClassificationConfig, Lesson]):
    """A classifier, from labelled images."""

    name = "classify"
    score_shape = ClassifierScoreShape

    def load(self, config: ClassificationConfig) -> Lesson:
        """The images to learn from and those to score on."""
        return load_lesson(config.data, config.seed)

    def fit(
        self, config: ClassificationConfig, data: Lesson, device: torch.device
    ) -> ClassificationConfig:
        """The configuration with its network made for these images and labels."""
        images = data.train.images
        facts = {
            "size": images.size,
            "colours": images.colours,
            "classes": len(data.scheme.names),
            "labels": data.scheme.parts,
        }
        fitted = config.evolve(
            network=config.network.evolve(**facts).to_dict(),
            precision=resolve_precision(config.precision, device),
        )
        # What only building tells, such as heads that do not divide a width, is told before a run.
        with rng.initialization(config.seed, "check"):
            fitted.network.build()
        return fitted

    def fingerprint(self, data: Lesson) -> str:
        """Changes with any pixel or label, to learn from or to score on."""
        return "+".join(part.images.fingerprint() for part in (data.train, data.test))

    def notes(self, config: ClassificationConfig, data: Lesson) -> Iterator[str]:
        """What was resized or left out, and which settings have no effect."""
        yield from data.notes
        yield from without_effect(config)

    def start(
        self,
        config: ClassificationConfig,
        data: Lesson,
        device: torch.device,
        folder: RunFolder,
        display: ProgressDisplay,
    ) -> ClassificationSession:
        """A session that scores on the images held out."""
        trainer = ClassifierTrainer(config, data.train, device)
        return ClassificationSession(trainer, folder, display, data)

    def next_words(self, path: Path) -> list[str | Path]:
        """Name the classes of other pictures."""
        return ["orthogan", "classify", "--classifier", path, "--predict", "FOLDER"]
