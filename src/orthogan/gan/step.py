"""The method: what each network minimizes, and one step of each on the same batch of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from orthogan.gan.finite import Update, update_now
from orthogan.gan.losses import Loss
from orthogan.gan.penalties import Penalty
from orthogan.shapes import Images, Labels, Latents, Logits

# One logit per image, from images and, where the discriminator has classes, their labels.
Discriminate: TypeAlias = Callable[..., Logits]


class Batch(NamedTuple):
    """Pairs of a real image and a fake of the same class."""

    real: Images
    fake: Images  # attached to the generator
    labels: Labels | None = None  # of both images of a pair; None: unconditional
    real_logits: Logits | None = None  # from the discriminator's step, for the generator's


class Objective(NamedTuple):
    """What is minimized."""

    loss: Loss
    penalty: Penalty
    gamma: float | Tensor  # weight of the penalty, logits squared per squared pixel unit
    fraction: float = 1.0  # of the pairs that is penalized: the first ones, on behalf of all
    noise: np.random.Generator | None = None  # for penalties along random directions


class DiscriminatorStep(NamedTuple):
    """What one step measured; all before the update."""

    loss: Tensor
    penalty: Tensor  # mean squared gradient norm over the penalized images, real and fake
    real: Logits
    fake: Logits


def discriminator_objective(
    discriminator: Discriminate, batch: Batch, objective: Objective
) -> DiscriminatorStep:
    r"""Loss and penalty. The discriminator minimizes loss $+ \frac\gamma2 (R_1 + R_2)$.

    R3GAN (Huang et al. 2024), equations 2 and 4. Real and fake images share one forward pass.
    """
    num_pairs = len(batch.real)
    num_penalized = math.ceil(objective.fraction * num_pairs)
    logits, squared_gradient = objective.penalty(
        *_pairs(discriminator, batch, slice(num_penalized)), objective.noise
    )
    logits = at_least_float32(logits).unflatten(0, (2, -1))
    if num_penalized < num_pairs:
        judge, images = _pairs(discriminator, batch, slice(num_penalized, None))
        others = at_least_float32(judge(images)).unflatten(0, (2, -1))
        logits = torch.cat([logits, others], dim=1)
    # The mean runs over real and fake images together, so it is (R1 + R2) / 2.
    loss = objective.loss.discriminator(*logits)
    return DiscriminatorStep(loss, squared_gradient.mean(), *logits)


def generator_objective(discriminator: Discriminate, batch: Batch, loss: Loss) -> Tensor:
    """Loss of the generator: where the updated discriminator judges its fakes."""
    logits = at_least_float32(_conditioned(discriminator, batch.labels)(batch.fake))
    # Only relativistic losses look at the real logits.
    real = torch.zeros_like(logits) if batch.real_logits is None else batch.real_logits
    return loss.generator(real, logits)


class Backend:
    """How gradients are computed and applied: here as written, in `gan.compiled` compiled."""

    def __init__(self, update: Update = update_now) -> None:
        self.update = update

    def generate(self, generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
        """Fakes for both networks."""
        images: Images = generator(latents, labels)
        return images

    def at_discriminator(
        self, discriminator: nn.Module, weights: list[Tensor], batch: Batch, objective: Objective
    ) -> DiscriminatorStep:
        """Leaves gradients at these weights of the discriminator."""
        measured = discriminator_objective(discriminator, batch, objective)
        total = measured.loss + objective.gamma * measured.penalty
        # At the weights alone: the images, leaves of the penalty, need no gradient of their own.
        total.backward(inputs=weights)
        return measured

    def at_generator(self, discriminator: nn.Module, batch: Batch, loss: Loss) -> Tensor:
        """Leaves gradients at the weights behind the fakes; returns the loss."""
        value = generator_objective(discriminator, batch, loss)
        value.backward()
        return value


EAGER = Backend()


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    batch: Batch,
    objective: Objective,
    backend: Backend = EAGER,
) -> DiscriminatorStep:
    r"""Minimizes loss $+ \frac\gamma2 (R_1 + R_2)$ once; no gradient reaches the generator.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    detached = batch._replace(fake=batch.fake.detach())
    measured = backend.at_discriminator(discriminator, weights, detached, objective)
    backend.update(measured.loss, optimizer, "discriminator")
    return DiscriminatorStep(*(part.detach() for part in measured))


def generator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    batch: Batch,
    loss: Loss,
    backend: Backend = EAGER,
) -> Tensor:
    """Moves the fakes to where the updated, frozen discriminator judges them real.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    value = backend.at_generator(discriminator, batch, loss)
    backend.update(value, optimizer, "generator")
    return value.detach()


def _pairs(
    discriminator: Discriminate, batch: Batch, chosen: slice
) -> tuple[Callable[[Images], Logits], Images]:
    """The discriminator and both images of the chosen pairs, all real ones before the fakes."""
    labels = None if batch.labels is None else batch.labels[chosen].repeat(2)
    images = torch.stack([batch.real, batch.fake])[:, chosen].flatten(0, 1)
    return _conditioned(discriminator, labels), images


def _conditioned(discriminator: Discriminate, labels: Labels | None) -> Callable[[Images], Logits]:
    """The discriminator with the classes filled in, once or, for moved copies of them, again."""
    if labels is None:
        return discriminator
    return lambda images: discriminator(images, labels.repeat(len(images) // len(labels)))


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or in float64 if they are in that.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
