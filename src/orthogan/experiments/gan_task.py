"""GANs as a comparison sees them: `orthogan train`, measured by `orthogan evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from orthogan import rng
from orthogan.data import ImageSet
from orthogan.evaluation.description import is_stacked
from orthogan.evaluation.evaluate import DEFAULT_EXTRACTOR, choose_metrics
from orthogan.evaluation.extractor import EXTRACTORS
from orthogan.evaluation.metrics import METRICS
from orthogan.experiments.costs import (
    CPU,
    PairCosts,
    count_flops,
    key_value_bytes,
    num_parameters,
)
from orthogan.experiments.scores import Kept, scores_of, why_again
from orthogan.experiments.task import RunConfig, Task
from orthogan.gan import api
from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES
from orthogan.gan.request import fitted, requested, wanted_images
from orthogan.gan.trainer import Trainer
from orthogan.networks.statistics import waits_for_tokens
from orthogan.statistics.ranges import REAL, Range
from orthogan.training.config import DataConfig

DEFAULT_METRICS = ("fd",)
DEFAULT_IMAGES = 10_000  # that a run is measured on


class GanTask(Task):
    """Runs of `orthogan train`."""

    name = "gan"
    noun = "a GAN"
    command = "train"
    takes = ("model", "minutes", "images", "config", "size")
    config_type = TrainingConfig
    scores = ("fd[",)
    better = ""
    digits = 3

    def __init__(self) -> None:
        self._loaded: tuple[DataConfig, ImageSet] | None = None

    def base(self, model: str) -> TrainingConfig:
        """The recipe of that name.

        Raises:
            UnknownNameError: no such recipe.
        """
        return RECIPES[model]()

    def resolve(self, **asked: Any) -> TrainingConfig:
        """As `api.resolve`, with the images loaded once, and their tokens counted."""
        wanted = requested(**asked)
        images = self._images(wanted)
        config = fitted(wanted, images, CPU)
        with rng.initialization(config.seed, "check"):
            players = (config.generator.build(), config.discriminator.build())
        if any(map(waits_for_tokens, players)):
            Trainer(config, images, CPU)  # its players are shown the first images
        return config

    def train(self, **asked: Any) -> str:
        """As `api.train`."""
        return api.train(**asked).status

    def check_scores(
        self, metrics: Sequence[str] | None, num_images: int | None, config: RunConfig
    ) -> None:
        """Refuses unknown metrics, those for other images, and no images to measure on."""
        assert isinstance(config, TrainingConfig)  # noqa: S101 - the task is chosen by it
        _ = num_images
        extractor = EXTRACTORS[DEFAULT_EXTRACTOR]().name
        chosen = metrics or DEFAULT_METRICS
        choose_metrics(chosen, extractor, is_stacked(self._images(config)))

    def evaluation(
        self, run: Path, metrics: Sequence[str] | None, num_images: int | None, kept: Kept
    ) -> dict[str, Any]:
        """As `api.evaluate`."""
        return scores_of(run, metrics or DEFAULT_METRICS, num_images or DEFAULT_IMAGES, kept)

    def why_again(
        self, run: Path, metrics: Sequence[str] | None, num_images: int | None, kept: Kept
    ) -> str:
        """No such score was kept, or not of this model."""
        return why_again(run, metrics or DEFAULT_METRICS, num_images or DEFAULT_IMAGES, kept)

    def range_of(self, metric: str) -> Range:
        """As registered; anything for a metric that is not."""
        name = metric.partition("[")[0]
        return METRICS[name].within if name in METRICS else REAL

    def costs(self, config: RunConfig) -> PairCosts:
        """The costs of both players."""
        assert isinstance(config, TrainingConfig)  # noqa: S101 - the task is chosen by it
        return costs_of(config)

    def _images(self, config: TrainingConfig) -> ImageSet:
        if self._loaded is None or self._loaded[0] != config.data:
            self._loaded = (config.data, wanted_images(config))
        return self._loaded[1]


def costs_of(config: TrainingConfig) -> PairCosts:
    """The costs of a GAN with these settings, its networks fitted to the images."""
    with rng.initialization(config.seed, "costs"):
        trainer = Trainer(config, _random_images(config), CPU)
        flops = count_flops(trainer.step)
    made, judged = config.generator, config.discriminator
    latent = torch.ones(1, made.latent_size)
    image = torch.zeros(1, judged.colours, judged.size, judged.size)
    return PairCosts(
        generator_parameters=num_parameters(trainer.generator),
        discriminator_parameters=num_parameters(trainer.discriminator),
        flops_per_step=flops,
        batch_size=config.batch_size,
        generator_key_value_bytes=key_value_bytes(
            trainer.generator, config.precision, latent, _label(made.classes)
        ),
        discriminator_key_value_bytes=key_value_bytes(
            trainer.discriminator, config.precision, image, _label(judged.classes)
        ),
    )


def _label(classes: int) -> torch.Tensor | None:
    return torch.zeros(1, dtype=torch.int64) if classes else None


def _random_images(config: TrainingConfig) -> ImageSet:
    network, count = config.generator, config.batch_size
    shape = (count, network.colours, network.size, network.size)
    labels = torch.arange(count) % network.classes if network.classes else None
    names = tuple(str(label) for label in range(network.classes))
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    return ImageSet(pixels, labels, names if labels is not None else ())
