"""Language models as a comparison sees them: `orthogan language`, which scores itself."""

from __future__ import annotations

from typing import Any

import torch

from orthogan import rng
from orthogan.experiments.costs import CPU, NetworkCosts, network_costs
from orthogan.experiments.task import COMPARED, RunConfig, SelfScoringTask
from orthogan.language import LanguageConfig
from orthogan.language import api as language_models
from orthogan.language.scoring import PERPLEXITY
from orthogan.language.tokenizer import SPLITTERS
from orthogan.language.trainer import LanguageTrainer
from orthogan.statistics import POSITIVE, Range


@COMPARED.register("language")
class LanguageTask(SelfScoringTask):
    """Runs of `orthogan language`."""

    name = "language"
    noun = "a language model"
    command = "language"
    takes = ("minutes", "tokens", "config")
    config_type = LanguageConfig
    scores = ("bits_per_", "perplexity")
    better = "lower"
    digits = 4
    scored_by = ("data.tokenizer", "data.min_count", "data.held_out")

    def resolve(self, **options: Any) -> LanguageConfig:
        """As `language_models.resolve_language`."""
        return language_models.resolve_language(**options)

    def train(self, **options: Any) -> str:
        """As `language_models.train_language`."""
        return language_models.train_language(**options).status

    def metric(self, config: RunConfig) -> str:
        """What such tokens are scored by, on the text that is held out."""
        assert isinstance(config, LanguageConfig)  # noqa: S101 - the task is chosen by it
        return SPLITTERS[config.data.tokenizer].score

    def range_of(self, metric: str) -> Range:
        """Bits are positive, and two to their power is at least 1."""
        return Range(1.0) if metric == PERPLEXITY else POSITIVE

    def costs(self, config: RunConfig) -> NetworkCosts:
        """The costs of the network."""
        assert isinstance(config, LanguageConfig)  # noqa: S101 - the task is chosen by it
        form = config.network
        with rng.initialization(config.seed, "costs"):
            tokens = torch.randint(0, form.vocabulary, (form.context + 1,))
            trainer = LanguageTrainer(config, tokens, CPU)
            context = tokens[None, : form.context]
            return network_costs(trainer, config.precision, context)

    def step_size(self, config: RunConfig) -> int:
        """Tokens predicted in one step."""
        assert isinstance(config, LanguageConfig)  # noqa: S101 - the task is chosen by it
        return config.batch_size * config.network.context
