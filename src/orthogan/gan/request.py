"""From what a person asks for to a settled training configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from orthogan import data, rng
from orthogan.data import ImageSet
from orthogan.gan.conditions import resolved_condition
from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES
from orthogan.training.launch import image_budget, merged_config
from orthogan.training.precision import resolve_precision


def requested(
    source: str | Path | None,
    model: str,
    minutes: float | None,
    images: int | None,
    seed: int | None,
    settings: Sequence[str],
    config: Path | str | None,
    size: int | None,
) -> TrainingConfig:
    """The recipe `model` under the file `config`, under the other arguments, under `settings`.

    None leaves what is below. The path of the data is absolute.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        UnknownNameError: no such recipe.
    """
    budget = image_budget(minutes, images)
    facts = {"source": source, "size": size}
    asked = merged_config(RECIPES[model](), config, seed, budget, facts, settings)
    # A run is looked at from other folders than the one it was started in.
    return asked.evolve(data=asked.data.to_dict() | {"source": data.resolved(asked.data.source)})


def fitted(config: TrainingConfig, images: ImageSet, device: torch.device) -> TrainingConfig:
    """The configuration with its networks made for these images and every `auto` settled.

    Raises:
        ConfigError: classes are asked for and there are none, or a network cannot be built.
        UnknownNameError: a part of a network has an unknown name.
    """
    facts = {"size": images.size, "colours": images.colours}
    shaped = config.evolve(
        generator=config.generator.evolve(**facts).to_dict(),
        discriminator=config.discriminator.evolve(**facts).to_dict(),
        precision=resolve_precision(config.precision, device),
    )
    settled = resolved_condition(shaped, images)
    # What only building tells, such as heads that do not divide a width, is told before a run.
    with rng.initialization(config.seed, "check"):
        settled.generator.build()
        settled.discriminator.build()
    return settled


def wanted_images(config: TrainingConfig) -> ImageSet:
    """The images that a configuration names.

    Raises:
        DataError: they cannot be loaded.
    """
    wanted = config.data
    return data.load(wanted.source, size=wanted.size, colour=wanted.colour)
