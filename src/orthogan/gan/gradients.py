"""How the gradients of both players are found: as the step is written, or to be compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call

from orthogan.gan.objectives import (
    Discriminate,
    DiscriminatorStep,
    discriminator_objective,
    generator_objective,
    penalised,
)
from orthogan.shapes import Images, Labels, Latents

Work: TypeAlias = Callable[..., Any]
Weights: TypeAlias = dict[str, Tensor]


class Gradients(NamedTuple):
    """The fakes of a step, and what leaves gradients at the weights of each player.

    The arguments are those of the functions below; `shown` are the further arguments of the
    objectives.
    """

    generate: Callable[..., Images]
    discriminator: Callable[..., DiscriminatorStep]
    generator: Callable[..., Tensor]


def generate(generator: Callable[..., Images], latents: Latents, labels: Labels | None) -> Images:
    """Fakes for both players."""
    return generator(latents, labels)


def discriminator_gradients(
    discriminator: Discriminate, weights: Sequence[Tensor], gamma: float, *shown: Any
) -> DiscriminatorStep:
    """Gradients of the discriminator at its weights."""
    measured = discriminator_objective(discriminator, *shown)
    # Of the weights alone: the images, leaves of the penalty, need no gradient of their own.
    penalised(measured, gamma).backward(inputs=list(weights))
    return measured


def generator_gradients(discriminator: Discriminate, fake: Images, *shown: Any) -> Tensor:
    """Gradients of the generator at its weights, behind the fakes."""
    value = generator_objective(discriminator, fake, *shown)
    value.backward()
    return value


EAGER = Gradients(generate, discriminator_gradients, generator_gradients)


def compiled_gradients(compiled: Callable[[Work], Work]) -> Gradients:
    """The same for players that are modules, by pure functions that a compiler takes whole.

    The gradients by the weights of the discriminator are one function, so are those of the
    generator by the fakes. A compiler that is given the way forward alone plans by itself what to
    keep for the way back, and the step becomes slower than uncompiled (docs/log.md). The generator
    has two ways all the same: its fakes serve both players.

    Args:
        compiled: Makes a function quicker.
    """
    images_of, slopes, slope_at_fakes = (
        compiled(each) for each in (_images_of, _slopes, _slope_at_fakes)
    )

    def of_discriminator(
        discriminator: nn.Module, weights: Sequence[Tensor], gamma: float, *shown: Any
    ) -> DiscriminatorStep:
        moved = _named(discriminator, weights)
        gamma_tensor = weights[0].new_full((), gamma)  # a number would be compiled in
        gradients: Weights
        measured: DiscriminatorStep
        gradients, measured = slopes(discriminator, _detached(moved), gamma_tensor, *shown)
        for name, parameter in moved.items():
            parameter.grad = gradients[name]
        return measured

    def of_generator(discriminator: nn.Module, fake: Images, *shown: Any) -> Tensor:
        judging = _detached(dict(discriminator.named_parameters()))
        slope: Images
        value: Tensor
        slope, value = slope_at_fakes(discriminator, judging, fake.detach(), *shown)
        fake.backward(slope)
        return value

    return Gradients(images_of, of_discriminator, of_generator)


def _images_of(generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
    """Images that lead back to the generator's weights."""
    images: Tensor = _with(generator, dict(generator.named_parameters()))(latents, labels)
    return images


def _slopes(
    discriminator: nn.Module, weights: Weights, gamma: Tensor, *shown: Any
) -> tuple[Weights, DiscriminatorStep]:
    """Gradients of the discriminator at its weights, and what it measured."""

    def total(weights: Weights) -> tuple[Tensor, DiscriminatorStep]:
        measured = discriminator_objective(_with(discriminator, weights), *shown)
        return penalised(measured, gamma), measured

    gradients, measured = torch.func.grad(total, has_aux=True)(weights)
    # Laid out as the weights, which fused optimisers rely on.
    return {name: each.contiguous() for name, each in gradients.items()}, measured


def _slope_at_fakes(
    discriminator: nn.Module, weights: Weights, fake: Images, *shown: Any
) -> tuple[Images, Tensor]:
    """Gradient of the generator at its images, and its loss."""

    def total(fake: Images) -> Tensor:
        return generator_objective(_with(discriminator, weights), fake, *shown)

    slope_and_value: tuple[Images, Tensor] = torch.func.grad_and_value(total)(fake)
    return slope_and_value


def _with(network: nn.Module, weights: Weights) -> Callable[..., Tensor]:
    """The network with these weights, kernels laid out as what they see."""
    placed = {name: _channels_last(weight) for name, weight in weights.items()}
    return lambda *shown: functional_call(network, placed, shown)


def _channels_last(weight: Tensor) -> Tensor:
    """Kernels channels last in float32 on a processor, as `FromColours` lays out its features."""
    is_kernel = weight.dim() == 4 and weight.device.type == "cpu"
    if not is_kernel or torch.is_autocast_enabled("cpu"):
        return weight
    return weight.contiguous(memory_format=torch.channels_last)


def _named(network: nn.Module, weights: Sequence[Tensor]) -> Weights:
    chosen = set(map(id, weights))
    return {name: each for name, each in network.named_parameters() if id(each) in chosen}


def _detached(weights: Weights) -> Weights:
    return {name: weight.detach() for name, weight in weights.items()}
