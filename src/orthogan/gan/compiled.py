"""The gradients of `gan.backend` as pure functions that a compiler takes whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from orthogan.gan.backend import Backend, Moved
from orthogan.gan.finite import Update, update_now
from orthogan.gan.losses import Loss
from orthogan.gan.objectives import (
    Batch,
    DiscriminatorStep,
    Objective,
    discriminator_objective,
    generator_objective,
)
from orthogan.shapes import Images, Labels, Latents, Scalar

P = ParamSpec("P")
T = TypeVar("T")
Parameters: TypeAlias = dict[str, Tensor]


@runtime_checkable
class Compiler(Protocol):
    """Makes a function quicker."""

    def __call__(self, function: Callable[P, T], /) -> Callable[P, T]:
        """The same function, compiled when first called."""


class CompiledBackend(Backend):
    """A backend for networks that are modules; the numbers are those of `EAGER` to rounding.

    The gradients by the weights of the discriminator are one function, so are those of the
    generator by the fakes. A compiler that is given the forward pass alone plans by itself what to
    keep for the backward pass, and the step becomes slower than uncompiled (docs/log.md). The
    generator has two passes all the same: its fakes serve both networks.

    Args:
        compiled: The compiler.
        update: Steps an optimizer.
    """

    def __init__(self, compiled: Compiler, update: Update = update_now) -> None:
        super().__init__(update)
        self._images_of = compiled(_images_of)
        self._at_weights = compiled(_gradients_at_weights)
        self._at_fakes = compiled(_gradient_at_fakes)

    def generate(self, generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
        """Fakes for both networks."""
        return self._images_of(generator, latents, labels)

    def at_discriminator(
        self, discriminator: nn.Module, weights: Moved, batch: Batch, objective: Objective
    ) -> DiscriminatorStep:
        """Leaves gradients at these weights of the discriminator."""
        moved = _named(discriminator, weights)
        # A tensor: a plain number is compiled in, and gamma changes with every step.
        gamma = weights[0].new_full((), float(objective.gamma))
        gradients, measured = self._at_weights(
            discriminator, _detached(moved), batch, objective._replace(gamma=gamma)
        )
        for name, parameter in moved.items():
            parameter.grad = gradients[name]
        return measured

    def at_generator(self, discriminator: nn.Module, batch: Batch, loss: Loss) -> Scalar:
        """Leaves gradients at the weights behind the fakes; returns the loss."""
        frozen = _detached(dict(discriminator.named_parameters()))
        # By the chain rule, through the fakes: first dL/dx at them, then the generator's own graph.
        detached = batch._replace(fake=batch.fake.detach())
        gradient, value = self._at_fakes(discriminator, frozen, detached, loss)
        batch.fake.backward(gradient)
        return value


def _images_of(generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
    """Images that lead back to the generator's weights."""
    return _with(generator, dict(generator.named_parameters()))(latents, labels)


def _gradients_at_weights(
    discriminator: nn.Module, weights: Parameters, batch: Batch, objective: Objective
) -> tuple[Parameters, DiscriminatorStep]:
    """Gradients of the discriminator at its weights, and what it measured."""

    def total(weights: Parameters) -> tuple[Scalar, DiscriminatorStep]:
        measured = discriminator_objective(_with(discriminator, weights), batch, objective)
        return measured.loss + objective.gamma * measured.penalty, measured

    gradients, measured = torch.func.grad(total, has_aux=True)(weights)
    # Laid out as the weights, which fused optimizers rely on.
    return {name: each.contiguous() for name, each in gradients.items()}, measured


def _gradient_at_fakes(
    discriminator: nn.Module, weights: Parameters, batch: Batch, loss: Loss
) -> tuple[Images, Scalar]:
    """Gradient of the generator at its images, and its loss."""

    def total(fake: Images) -> Scalar:
        return generator_objective(_with(discriminator, weights), batch._replace(fake=fake), loss)

    gradient_and_value: tuple[Images, Scalar] = torch.func.grad_and_value(total)(batch.fake)
    return gradient_and_value


def _with(network: nn.Module, weights: Parameters) -> Callable[[Tensor, Labels | None], Tensor]:
    """The network with these weights, kernels laid out as its inputs are."""
    laid_out = {name: _channels_last(weight) for name, weight in weights.items()}

    def output(inputs: Tensor, labels: Labels | None) -> Tensor:
        made: Tensor = functional_call(network, laid_out, (inputs, labels))
        return made

    return output


def _channels_last(weight: Tensor) -> Tensor:
    """Kernels channels last in float32 on a processor, as the features that they meet."""
    is_kernel = weight.dim() == 4 and weight.device.type == "cpu"
    if not is_kernel or torch.is_autocast_enabled("cpu"):
        return weight
    return weight.contiguous(memory_format=torch.channels_last)


def _named(network: nn.Module, weights: Sequence[Tensor]) -> Parameters:
    chosen = set(map(id, weights))
    return {name: each for name, each in network.named_parameters() if id(each) in chosen}


def _detached(weights: Parameters) -> Parameters:
    return {name: weight.detach() for name, weight in weights.items()}
