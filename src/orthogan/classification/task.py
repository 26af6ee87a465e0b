"""Training a classifier, as a task."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from orthogan import data as image_data
from orthogan.classification.config import ClassificationConfig
from orthogan.classification.examples import Split, load_split
from orthogan.classification.recipes import RECIPES
from orthogan.classification.scoring import ClassifierScoreShape
from orthogan.classification.session import ClassificationSession
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data.balance import CLASSES, balance_note
from orthogan.data.inspection import inspect
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.task import TASKS, Task


@TASKS.register("classify")
class ClassifyTask(Task[ClassificationConfig, Split]):
    """A classifier, from labelled images."""

    name = "classify"
    score_shape = ClassifierScoreShape
    recipes = RECIPES
    default_recipe, run_suffix = "attention-classifier", "classifier"

    def locate(self, source: str) -> str:
        """The name of a data set as it is, a path absolute."""
        return image_data.resolved(source)

    def load(self, config: ClassificationConfig) -> Split:
        """The images to learn from and those to score on."""
        return load_split(config.data, config.seed)

    def fit(self, config: ClassificationConfig, data: Split) -> ClassificationConfig:
        """The configuration with its network made for these images and labels."""
        images = data.train.images
        facts = {
            "size": images.size,
            "colours": images.colours,
            "classes": len(data.scheme.names),
            "labels": data.scheme.parts,
        }
        return config.evolve(network=config.network.evolve(**facts).to_dict())

    def notes(self, config: ClassificationConfig, data: Split) -> Iterable[str]:
        """What the images are, which settings have no effect, and how classes are balanced."""
        images = data.train.images
        yield from inspect(images).lines()
        yield from (note for note in data.notes if note not in images.notes)
        yield from config.without_effect()
        if config.data.balance == CLASSES and images.labels is not None:
            yield balance_note(images.labels, images.class_names)

    def fingerprint(self, data: Split) -> str:
        """Changes with any pixel or label, to learn from or to score on."""
        return "+".join(part.images.fingerprint() for part in (data.train, data.test))

    def start(
        self,
        config: ClassificationConfig,
        data: Split,
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
