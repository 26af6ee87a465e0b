"""Training a language model, as a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from orthogan import rng
from orthogan.language.config import LanguageConfig, without_effect
from orthogan.language.lesson import Lesson, load_lesson
from orthogan.language.scoring import LanguageScoreShape
from orthogan.language.session import LanguageSession
from orthogan.language.trainer import LanguageTrainer
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.task import TASKS, Task


@TASKS.register("language")
class LanguageTask(Task[LanguageConfig, Lesson]):
    """A causal transformer, from a text."""

    name = "language"
    unit = "tokens"
    score_shape = LanguageScoreShape

    def load(self, config: LanguageConfig) -> Lesson:
        """The tokens to learn from and those to score on."""
        return load_lesson(config.data, config.network.context)

    def fit(self, config: LanguageConfig, data: Lesson, device: torch.device) -> LanguageConfig:
        """The configuration with its network made for this vocabulary."""
        fitted = config.evolve(
            network=config.network.evolve(vocabulary=len(data.tokenizer)).to_dict(),
            precision=resolve_precision(config.precision, device),
        )
        # What only building tells, such as heads that do not divide a width, is told before a run.
        with rng.initialization(config.seed, "check"):
            fitted.network.build()
        return fitted

    def fingerprint(self, data: Lesson) -> str:
        """Changes with any token."""
        return data.fingerprint

    def notes(self, config: LanguageConfig, data: Lesson) -> Iterator[str]:
        """What the text leaves out, and which settings have no effect."""
        yield from data.notes
        yield from without_effect(config)

    def start(
        self,
        config: LanguageConfig,
        data: Lesson,
        device: torch.device,
        folder: RunFolder,
        display: ProgressDisplay,
    ) -> LanguageSession:
        """A session that scores on the text held out."""
        trainer = LanguageTrainer(config, data.train, device)
        return LanguageSession(trainer, folder, display, data)

    def next_words(self, path: Path) -> list[str | Path]:
        """Go on from a text."""
        return ["orthogan", "generate", path]
