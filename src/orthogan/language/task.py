"""Training a language model, as a task."""

from __future__ import annotations

from pathlib import Path

import torch

from orthogan.errors import ConfigError
from orthogan.language.config import LanguageConfig
from orthogan.language.corpus import resolved_source
from orthogan.language.recipes import RECIPES
from orthogan.language.scoring import LanguageScoreShape
from orthogan.language.session import LanguageSession
from orthogan.language.split import Split, load_split
from orthogan.language.trainer import LanguageTrainer
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.task import TASKS, Task


@TASKS.register("language")
class LanguageTask(Task[LanguageConfig, Split]):
    """A causal transformer, from a text."""

    name = "language"
    unit = "tokens"
    score_shape = LanguageScoreShape
    recipes = RECIPES
    default_recipe, run_suffix = "transformer", "language"

    def load(self, config: LanguageConfig) -> Split:
        """The tokens to learn from and those to score on."""
        return load_split(config.data, config.network.context)

    def locate(self, source: str) -> str:
        """The name of a corpus as it is, a path absolute.

        Raises:
            ConfigError: it is empty.
        """
        if not source:
            raise ConfigError("Name the text to learn from: a file or a folder of .txt files.")
        return resolved_source(source)

    def fit(self, config: LanguageConfig, data: Split) -> LanguageConfig:
        """The configuration with its network made for this vocabulary."""
        network = config.network.evolve(vocabulary=len(data.tokenizer))
        return config.evolve(network=network.to_dict())

    def fingerprint(self, data: Split) -> str:
        """Changes with any token."""
        return data.fingerprint

    def start(
        self,
        config: LanguageConfig,
        data: Split,
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
