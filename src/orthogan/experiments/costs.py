"""What a variant costs: parameters, floating-point operations, keys and values, time."""

from __future__ import annotations

import itertools
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from orthogan.attention import Attention
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.experiments.flops import FlopCounter
from orthogan.language.trainer import LanguageTrainer
from orthogan.training.precision import autocast, resolve_precision

CPU = torch.device("cpu")


class Costs(ABC):
    """What a variant costs, found from its settings."""

    flops_per_step: int

    @abstractmethod
    def counts(self) -> dict[str, tuple[int, ...]]:
        """Columns of whole numbers, one number for each network."""


@dataclass(frozen=True, kw_only=True)
class PairCosts(Costs):
    """The costs of a GAN.

    Attributes:
        generator_parameters: Numbers that training updates in the generator.
        discriminator_parameters: The same for the discriminator.
        flops_per_step: Floating-point operations of matrix products, convolutions and linear
            solves in one step of both networks, penalties included, on one batch.
        batch_size: Images of that batch.
        generator_key_value_bytes: Bytes of the keys and values that all attention layers make
            for one generated image, in the run's precision; 0 without attention. Keys that are
            the values or the tokens themselves take none.
        discriminator_key_value_bytes: The same for one image that the discriminator reads.
    """

    generator_parameters: int
    discriminator_parameters: int
    flops_per_step: int
    batch_size: int
    generator_key_value_bytes: int
    discriminator_key_value_bytes: int

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Columns of whole numbers: generator, discriminator."""
        kept = (self.generator_key_value_bytes, self.discriminator_key_value_bytes)
        return {
            "parameters G + D": (self.generator_parameters, self.discriminator_parameters),
            "KV bytes G + D": kept,
        }


@dataclass(frozen=True, kw_only=True)
class NetworkCosts(Costs):
    """The costs of a single network, as in `PairCosts`, for one image or one whole context."""

    parameters: int
    flops_per_step: int
    batch_size: int
    key_value_bytes: int

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Columns of whole numbers."""
        return {"parameters": (self.parameters,), "KV bytes": (self.key_value_bytes,)}


def network_costs(
    trainer: ClassifierTrainer | LanguageTrainer, precision: str, inputs: torch.Tensor
) -> NetworkCosts:
    """The costs of a single network; its keys and values for these inputs of batch size 1."""
    return NetworkCosts(
        parameters=num_parameters(trainer.network),
        flops_per_step=count_flops(trainer.step),
        batch_size=trainer.config.batch_size,
        key_value_bytes=key_value_bytes(trainer.network.eval(), precision, inputs),
    )


def num_parameters(network: nn.Module) -> int:
    """How many numbers training updates."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_flops(step: Callable[[float], object]) -> int:
    """The operations of a training step at the start of a budget."""
    counter = FlopCounter()
    with counter:
        step(0.0)
    return counter.flops


@torch.no_grad()
def key_value_bytes(network: nn.Module, precision: str, *inputs: Any) -> int:
    """Bytes of the keys and values that the attention layers of a network make for these inputs."""
    resolved = resolve_precision(precision, CPU)
    width = torch.bfloat16.itemsize if resolved == "bfloat16" else torch.float32.itemsize
    sizes: list[int] = []

    def note(layer: nn.Module, inputs: tuple[Any, ...], _output: Any) -> None:
        assert isinstance(layer, Attention)  # noqa: S101 - the hook is on no other
        tokens = inputs[1] if len(inputs) > 1 and inputs[1] is not None else inputs[0]
        sizes.append(tokens.shape[1] * layer.num_kept * width)

    layers = [layer for layer in network.modules() if isinstance(layer, Attention)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        with autocast(resolved, CPU):
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(sizes)


def step_seconds(records: Sequence[Mapping[str, Any]], step_size: int) -> float | None:
    """The median time of a step, from the lines of `metrics.jsonl`; None for very short runs.

    The median over stretches of about a second leaves out those in which a score was measured.

    Args:
        records: The lines.
        step_size: By how much a step moves `images_seen`.
    """
    steps = [record for record in records if record.get("event") == "step"]
    rates = [
        (after["elapsed_s"] - before["elapsed_s"]) / seen * step_size
        for before, after in itertools.pairwise(steps)
        if (seen := after["images_seen"] - before["images_seen"]) > 0
        and after["elapsed_s"] > before["elapsed_s"]
    ]
    return statistics.median(rates) if rates else None
