"""The whole method: one discriminator step and one generator step on the same fakes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from orthogan.adversarial.finite import Update, update_now
from orthogan.adversarial.losses import Loss
from orthogan.adversarial.penalties import Judge, Penalty
from orthogan.shapes import Images, Labels, Logits

# One logit an image, from images and, where it is told any, their labels.
Discriminate: TypeAlias = Callable[..., Tensor]


class DiscriminatorStep(NamedTuple):
    """What one step measured; all before the update."""

    loss: Tensor
    penalty: Tensor  # mean squared gradient norm over the penalised images, real and fake
    real: Logits
    fake: Logits


def discriminator_objective(
    discriminator: Discriminate,
    real: Images,
    fake: Images,
    labels: Labels | None,
    loss: Loss,
    penalty: Penalty,
    noise: np.random.Generator,
    share: float,
) -> DiscriminatorStep:
    """Loss and penalty of the discriminator, of one merged pass; see `discriminator_step`."""
    pairs = torch.stack([real, fake])
    num_steep = math.ceil(share * len(real))
    steep, rest = slice(num_steep), slice(num_steep, None)
    logits, squared_gradient = penalty(
        _judge(discriminator, labels, steep), pairs[:, steep].flatten(0, 1), noise
    )
    logits = at_least_float32(logits).unflatten(0, (2, -1))
    if num_steep < len(real):
        others = _judge(discriminator, labels, rest)(pairs[:, rest].flatten(0, 1))
        logits = torch.cat([logits, at_least_float32(others).unflatten(0, (2, -1))], dim=1)
    # The mean runs over real and fake images together: twice it is R1 + R2.
    return DiscriminatorStep(loss.discriminator(*logits), squared_gradient.mean(), *logits)


def generator_objective(
    discriminator: Discriminate,
    fake: Images,
    labels: Labels | None,
    real_logits: Logits,
    loss: Loss,
) -> Tensor:
    """Loss of the generator; see `generator_step`."""
    logits = at_least_float32(_judge(discriminator, labels)(fake))
    return loss.generator(real_logits, logits)


class Objectives(NamedTuple):
    """What the two players minimise: pure functions, which a compiler may replace."""

    discriminator: Callable[..., DiscriminatorStep] = discriminator_objective
    generator: Callable[..., Tensor] = generator_objective


EAGER = Objectives()


def discriminator_step(
    discriminator: Discriminate,
    optimizer: Optimizer,
    real: Images,
    fake: Images,
    labels: Labels | None,
    loss: Loss,
    penalty: Penalty,
    gamma: float,
    noise: np.random.Generator,
    update: Update = update_now,
    share: float = 1.0,
    objectives: Objectives = EAGER,
) -> DiscriminatorStep:
    r"""Minimise loss $+ \frac\gamma2 (R_1 + R_2)$ once.

    Args:
        discriminator: Judges; its parameters are those of the optimiser.
        optimizer: Holds the discriminator's parameters.
        real: Real images.
        fake: As many fakes; no gradient flows to their generator.
        labels: What the discriminator is told of each pair; None: nothing.
        loss: Adversarial loss.
        penalty: Gradient penalty.
        gamma: Weight of the penalty, in logits squared per squared pixel unit.
        noise: Random directions for penalties that need them.
        update: Steps the optimiser unless something is not finite.
        share: Share of the pairs that is penalised, the first ones of the batch, on behalf of all.
        objectives: What the players minimise, perhaps compiled.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    measured = objectives.discriminator(
        discriminator, real, fake.detach(), labels, loss, penalty, noise, share
    )
    # Of the parameters alone: the images, leaves of the penalty, need no gradient of their own.
    (measured.loss + gamma * measured.penalty).backward(inputs=_parameters(optimizer))
    update(measured.loss, optimizer, "discriminator")
    return DiscriminatorStep(*(part.detach() for part in measured))


def generator_step(
    discriminator: Discriminate,
    optimizer: Optimizer,
    fake: Images,
    labels: Labels | None,
    real_logits: Logits,
    loss: Loss,
    update: Update = update_now,
    objectives: Objectives = EAGER,
) -> Tensor:
    """Move the fakes to where the updated discriminator judges them real; returns the loss.

    Args:
        discriminator: Judges, its parameters frozen.
        optimizer: Holds the generator's parameters.
        fake: The same fakes the discriminator has just seen, still attached to the generator.
        labels: What the discriminator is told of each; None: nothing.
        real_logits: Logits of the real images, from the discriminator step.
        loss: Adversarial loss.
        update: Steps the optimiser unless something is not finite.
        objectives: What the players minimise, perhaps compiled.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    value = objectives.generator(discriminator, fake, labels, real_logits, loss)
    value.backward()
    update(value, optimizer, "generator")
    return value.detach()


def _judge(discriminator: Discriminate, labels: Labels | None, pairs: slice = slice(None)) -> Judge:
    """Logits of one or two images of each of these pairs, all real ones before the fakes."""
    if labels is None:
        return discriminator
    told = labels[pairs]
    return lambda images: discriminator(images, told.repeat(len(images) // len(told)))


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or in float64 if they are in that.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
