"""What a variant costs: parameters, floating-point operations, keys and values, time."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from orthogan import rng
from orthogan.attention import Attention
from orthogan.comparison.flops import FlopCounter
from orthogan.comparison.matching import num_parameters
from orthogan.data import ImageSet
from orthogan.training.config import TrainingConfig
from orthogan.training.precision import autocast, resolve_precision
from orthogan.training.trainer import Trainer

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a variant costs, found from its settings.

    Attributes:
        generator_parameters: Numbers that training moves in the generator.
        discriminator_parameters: The same for the discriminator.
        flops_per_step: Floating-point operations of matrix products, convolutions and linear
            solves in one step of both players, penalties included, on one batch.
        batch_size: Images of that batch.
        generator_key_value_bytes: Bytes of the keys and values that all attention layers make
            for one generated image, in the run's precision; 0 without attention. Keys that are
            the values or the tokens themselves take none.
        discriminator_key_value_bytes: The same for one judged image.
    """

    generator_parameters: int
    discriminator_parameters: int
    flops_per_step: int
    batch_size: int
    generator_key_value_bytes: int
    discriminator_key_value_bytes: int


def costs_of(config: TrainingConfig) -> Costs:
    """The costs of a run with these settings, its networks fitted to the images.

    Takes one training step on random images.
    """
    with rng.initialisation(config.seed, "costs"):
        trainer = Trainer(config, _random_images(config), CPU)
        counter = FlopCounter()
        with counter:
            trainer.step(0.0)
    return Costs(
        generator_parameters=num_parameters(trainer.generator),
        discriminator_parameters=num_parameters(trainer.discriminator),
        flops_per_step=counter.flops,
        batch_size=config.batch_size,
        generator_key_value_bytes=_generator_bytes(trainer),
        discriminator_key_value_bytes=_discriminator_bytes(trainer),
    )


def step_seconds(records: Sequence[Mapping[str, Any]], batch_size: int) -> float | None:
    """The median time of a step, from the lines of `metrics.jsonl`.

    The median over stretches of about a second leaves out those in which a score was taken.

    Returns:
        Seconds; None if the run was too short for two lines.
    """
    steps = [record for record in records if record.get("event") == "step"]
    rates = [
        (after["elapsed_s"] - before["elapsed_s"]) / seen * batch_size
        for before, after in itertools.pairwise(steps)
        if (seen := after["images_seen"] - before["images_seen"]) > 0
        and after["elapsed_s"] > before["elapsed_s"]
    ]
    return statistics.median(rates) if rates else None


def _random_images(config: TrainingConfig) -> ImageSet:
    network, count = config.generator, config.batch_size
    shape = (count, network.colours, network.size, network.size)
    labels = torch.arange(count) % network.classes if network.classes else None
    names = tuple(str(label) for label in range(network.classes))
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    return ImageSet(pixels, labels, names if labels is not None else ())


@torch.no_grad()
def _generator_bytes(trainer: Trainer) -> int:
    config = trainer.config.generator
    labels = torch.zeros(1, dtype=torch.int64) if config.classes else None
    with _stored(trainer, trainer.generator) as sizes:
        trainer.generator(torch.ones(1, config.latent_size), labels)
    return sum(sizes)


@torch.no_grad()
def _discriminator_bytes(trainer: Trainer) -> int:
    config = trainer.config.discriminator
    labels = torch.zeros(1, dtype=torch.int64) if config.classes else None
    with _stored(trainer, trainer.discriminator) as sizes:
        trainer.discriminator(torch.zeros(1, config.colours, config.size, config.size), labels)
    return sum(sizes)


@contextmanager
def _stored(trainer: Trainer, network: nn.Module) -> Iterator[list[int]]:
    """Collects the bytes of keys and values of each attention layer that runs inside."""
    sizes: list[int] = []
    precision = resolve_precision(trainer.config.precision, CPU)
    width = torch.bfloat16.itemsize if precision == "bfloat16" else torch.float32.itemsize

    def note(layer: nn.Module, inputs: tuple[Any, ...], _output: Any) -> None:
        assert isinstance(layer, Attention)  # noqa: S101 - the hook is on no other
        tokens = inputs[1] if len(inputs) > 1 and inputs[1] is not None else inputs[0]
        sizes.append(tokens.shape[1] * layer.num_kept * width)

    hooks = [
        layer.register_forward_hook(note)
        for layer in network.modules()
        if isinstance(layer, Attention)
    ]
    try:
        with autocast(precision, CPU):
            yield sizes
    finally:
        for hook in hooks:
            hook.remove()
