"""Classifiers as a comparison sees them: `orthogan classify`, which scores itself."""

from __future__ import annotations

from typing import Any

import torch

from orthogan import rng
from orthogan.classification import ClassificationConfig
from orthogan.classification import api as classifiers
from orthogan.classification.examples import Examples, load_lesson
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data import ImageSet
from orthogan.experiments.costs import (
    CPU,
    NetworkCosts,
    count_flops,
    key_value_bytes,
    num_parameters,
)
from orthogan.experiments.task import RunConfig, SelfScoringTask
from orthogan.networks.statistics import waits_for_tokens
from orthogan.statistics.ranges import SHARE, Range

METRIC = "accuracy"


class ClassifyTask(SelfScoringTask):
    """Runs of `orthogan classify`."""

    name = "classify"
    noun = "a classifier"
    command = "classify"
    takes = ("minutes", "images", "config", "size")
    config_type = ClassificationConfig
    scores = (METRIC,)
    better = "higher"
    digits = 4
    scored_by = ("data.label_parts",)
    splits_by_seed = True

    def resolve(self, **asked: Any) -> ClassificationConfig:
        """As `classifiers.resolve_classification`, with the tokens of the images counted."""
        config = classifiers.resolve_classification(**asked)
        with rng.initialization(config.seed, "check"):
            network = config.network.build()
        if waits_for_tokens(network):
            examples = load_lesson(config.data, config.seed).train
            ClassifierTrainer(config, examples, CPU)  # its network is shown the first images
        return config

    def train(self, **asked: Any) -> str:
        """As `classifiers.classify`."""
        return classifiers.classify(**asked).status

    def metric(self, config: RunConfig) -> str:
        """The accuracy on the test images of the run."""
        _ = config
        return METRIC

    def range_of(self, metric: str) -> Range:
        """An accuracy is a share."""
        _ = metric
        return SHARE

    def costs(self, config: RunConfig) -> NetworkCosts:
        """The costs of the network."""
        assert isinstance(config, ClassificationConfig)  # noqa: S101 - the task is chosen by it
        with rng.initialization(config.seed, "costs"):
            trainer = ClassifierTrainer(config, _random_examples(config), CPU)
            flops = count_flops(trainer.step)
        form = config.network
        image = torch.zeros(1, form.colours, form.size, form.size)
        return NetworkCosts(
            parameters=num_parameters(trainer.network),
            flops_per_step=flops,
            batch_size=config.batch_size,
            key_value_bytes=key_value_bytes(trainer.network.eval(), config.precision, image),
        )


def _random_examples(config: ClassificationConfig) -> Examples:
    form, count = config.network, config.batch_size
    pixels = torch.randint(0, 256, (count, form.colours, form.size, form.size), dtype=torch.uint8)
    return Examples(
        images=ImageSet(pixels), targets=torch.randint(0, form.classes, (count, form.labels))
    )
