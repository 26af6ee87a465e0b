"""The whole method: one discriminator step and one generator step on the same fakes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from orthogan.adversarial.finite import Update, update_now
from orthogan.adversarial.losses import Loss
from orthogan.adversarial.penalties import Judge, Penalty
from orthogan.shapes import Images, Logits


class DiscriminatorStep(NamedTuple):
    """What one step measured; all before the update."""

    loss: Tensor
    penalty: Tensor  # mean squared gradient norm over real and fake images
    real: Logits
    fake: Logits


def discriminator_step(
    judge: Judge,
    optimizer: Optimizer,
    real: Images,
    fake: Images,
    loss: Loss,
    penalty: Penalty,
    gamma: float,
    noise: np.random.Generator,
    update: Update = update_now,
) -> DiscriminatorStep:
    r"""Minimise loss $+ \frac\gamma2 (R_1 + R_2)$ once.

    Args:
        judge: The discriminator; for class-conditional training, with the labels filled in.
        optimizer: Holds the discriminator's parameters.
        real: Real images.
        fake: As many fakes; no gradient flows to their generator.
        loss: Adversarial loss.
        penalty: Gradient penalty.
        gamma: Weight of the penalty, in logits squared per squared pixel unit.
        noise: Random directions for penalties that need them.
        update: Steps the optimiser unless something is not finite.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    images = torch.cat([real, fake.detach()])
    logits, squared_gradient = penalty(judge, images, noise)
    real_logits, fake_logits = at_least_float32(logits).chunk(2)
    value = loss.discriminator(real_logits, fake_logits)
    mean_penalty = squared_gradient.mean()
    # The mean runs over real and fake images together: twice it is R1 + R2.
    # Of the parameters alone: the images, leaves of the penalty, need no gradient of their own.
    (value + gamma * mean_penalty).backward(inputs=_parameters(optimizer))
    update(value, optimizer, "discriminator")
    return DiscriminatorStep(
        value.detach(), mean_penalty.detach(), real_logits.detach(), fake_logits.detach()
    )


def generator_step(
    judge: Judge,
    optimizer: Optimizer,
    fake: Images,
    real_logits: Logits,
    loss: Loss,
    update: Update = update_now,
) -> Tensor:
    """Move the fakes to where the updated discriminator judges them real; returns the loss.

    Args:
        judge: The discriminator, its parameters frozen.
        optimizer: Holds the generator's parameters.
        fake: The same fakes the discriminator has just seen, still attached to the generator.
        real_logits: Logits of the real images, from the discriminator step.
        loss: Adversarial loss.
        update: Steps the optimiser unless something is not finite.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    value = loss.generator(real_logits, at_least_float32(judge(fake)))
    value.backward()
    update(value, optimizer, "generator")
    return value.detach()


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or in float64 if they are in that.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
