"""Classifiers as a comparison sees them: `orthogan classify`, which scores itself."""

from __future__ import annotations

from typing import Any

import torch

from orthogan import rng
from orthogan.classification import ClassificationConfig
from orthogan.classification import api as classifiers
from orthogan.classification.examples import Examples, load_split
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data import ImageSet
from orthogan.experiments.costs import CPU, NetworkCosts, network_costs
from orthogan.experiments.task import COMPARED, RunConfig, SelfScoringTask
from orthogan.networks.calibration import needs_calibration
from orthogan.statistics import SHARE, Range

METRIC = "accuracy"


@COMPARED.register("classify")
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

    def resolve(self, **options: Any) -> ClassificationConfig:
        """As `classifiers.resolve_classification`, with the tokens of the images counted."""
        config = classifiers.resolve_classification(**options)
        with rng.initialization(config.seed, "check"):
            network = config.network.build()
        if needs_calibration(network):
            examples = load_split(config.data, config.seed).train
            ClassifierTrainer(config, examples, CPU)  # calibrates it with the first images
        return config

    def train(self, **options: Any) -> str:
        """As `classifiers.classify`."""
        return classifiers.classify(**options).status

    def metric(self, config: RunConfig) -> str:  # noqa: ARG002 - it is the same for all
        """The accuracy on the test images of the run."""
        return METRIC

    def range_of(self, metric: str) -> Range:  # noqa: ARG002 - there is one
        """An accuracy is a fraction."""
        return SHARE

    def costs(self, config: RunConfig) -> NetworkCosts:
        """The costs of the network."""
        assert isinstance(config, ClassificationConfig)  # noqa: S101 - the task is chosen by it
        form, count = config.network, config.batch_size
        shape = (count, form.colours, form.size, form.size)
        with rng.initialization(config.seed, "costs"):
            pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
            targets = torch.randint(0, form.classes, (count, form.labels))
            examples = Examples(images=ImageSet(pixels), targets=targets)
            trainer = ClassifierTrainer(config, examples, CPU)
            return network_costs(trainer, config.precision, torch.zeros(1, *shape[1:]))
