"""GANs as a comparison sees them: `orthogan train`, measured by `orthogan evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from orthogan import rng
from orthogan.data import ImageSet
from orthogan.evaluation.choice import extractor_for
from orthogan.evaluation.evaluate import choose_metrics
from orthogan.evaluation.metrics import METRICS
from orthogan.experiments.costs import (
    CPU,
    PairCosts,
    count_flops,
    key_value_bytes,
    num_parameters,
)
from orthogan.experiments.scores import Kept, Measure, scores_of, why_again
from orthogan.experiments.task import COMPARED, ComparedTask, RunConfig
from orthogan.gan import api
from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES
from orthogan.gan.task import GanTask as TrainedGan
from orthogan.gan.trainer import Trainer
from orthogan.networks.calibration import needs_calibration
from orthogan.statistics import REAL, Range
from orthogan.training.config import DataConfig
from orthogan.training.request import Request

TRAINED = TrainedGan()
DEFAULT_METRICS = ("fd",)
DEFAULT_IMAGES = 10_000  # that a run is measured on


@COMPARED.register("gan")
class GanTask(ComparedTask):
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

    def resolve(self, **options: Any) -> TrainingConfig:
        """As `api.resolve`, with the images loaded once, and their tokens counted."""
        given = {name: options.get(name) for name in ("model", "minutes", "seed", "config")}
        data = {name: options.get(name) for name in ("source", "size")}
        settings = options.get("settings", ())
        request = Request(**given, count=options.get("images"), data=data, settings=settings)
        requested = TRAINED.requested(request)
        images = self._images(requested)
        config = TRAINED.resolve(requested, images, CPU)
        with rng.initialization(config.seed, "check"):
            networks = (config.generator.build(), config.discriminator.build())
        if any(map(needs_calibration, networks)):
            Trainer(config, images, CPU)  # calibrates them with the first images
        return config

    def train(self, **options: Any) -> str:
        """As `api.train`."""
        return api.train(**options).status

    def check_scores(self, measure: Measure, config: RunConfig) -> None:
        """Refuses unknown metrics, and those for other images."""
        assert isinstance(config, TrainingConfig)  # noqa: S101 - the task is chosen by it
        images = self._images(config)
        choose_metrics(measure.metrics or DEFAULT_METRICS, extractor_for(images), images)

    def evaluation(self, run: Path, measure: Measure, kept: Kept) -> dict[str, Any]:
        """As `api.evaluate`."""
        return scores_of(
            run, measure.metrics or DEFAULT_METRICS, measure.num_images or DEFAULT_IMAGES, kept
        )

    def why_again(self, run: Path, measure: Measure, kept: Kept) -> str:
        """No such score was kept, or not of this model."""
        return why_again(
            run, measure.metrics or DEFAULT_METRICS, measure.num_images or DEFAULT_IMAGES, kept
        )

    def range_of(self, metric: str) -> Range:
        """As registered; anything for a metric that is not."""
        name = metric.partition("[")[0]
        return METRICS[name].within if name in METRICS else REAL

    def costs(self, config: RunConfig) -> PairCosts:
        """The costs of both networks, fitted to the images."""
        assert isinstance(config, TrainingConfig)  # noqa: S101 - the task is chosen by it
        with rng.initialization(config.seed, "costs"):
            trainer = Trainer(config, _random_images(config), CPU)
            flops = count_flops(trainer.step)
        generator, discriminator = config.generator, config.discriminator
        latent = torch.ones(1, generator.latent_size)
        image = torch.zeros(1, discriminator.colours, discriminator.size, discriminator.size)
        generated, judged = (
            key_value_bytes(network, config.precision, inputs, _label(settings.classes))
            for network, inputs, settings in (
                (trainer.generator, latent, generator),
                (trainer.discriminator, image, discriminator),
            )
        )
        return PairCosts(
            generator_parameters=num_parameters(trainer.generator),
            discriminator_parameters=num_parameters(trainer.discriminator),
            flops_per_step=flops,
            batch_size=config.batch_size,
            generator_key_value_bytes=generated,
            discriminator_key_value_bytes=judged,
        )

    def _images(self, config: TrainingConfig) -> ImageSet:
        if self._loaded is None or self._loaded[0] != config.data:
            self._loaded = (config.data, TRAINED.load(config))
        return self._loaded[1]


def _label(classes: int) -> torch.Tensor | None:
    return torch.zeros(1, dtype=torch.int64) if classes else None


def _random_images(config: TrainingConfig) -> ImageSet:
    network, count = config.generator, config.batch_size
    shape = (count, network.colours, network.size, network.size)
    labels = torch.arange(count) % network.classes if network.classes else None
    names = tuple(str(label) for label in range(network.classes))
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    return ImageSet(pixels, labels, names if labels is not None else ())
