"""One discriminator step and one generator step on the same fakes."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from orthogan.gan.finite import Update, update_now
from orthogan.gan.gradients import EAGER, Gradients
from orthogan.gan.losses import Loss
from orthogan.gan.objectives import Discriminate, DiscriminatorStep
from orthogan.gan.penalties import Penalty
from orthogan.shapes import Images, Labels, Logits


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
    gradients: Gradients = EAGER,
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
        gradients: How they are found, perhaps compiled.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    weights = _parameters(optimizer)
    measured = gradients.discriminator(
        discriminator, weights, gamma, real, fake.detach(), labels, loss, penalty, noise, share
    )
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
    gradients: Gradients = EAGER,
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
        gradients: How they are found, perhaps compiled.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    value = gradients.generator(discriminator, fake, labels, real_logits, loss)
    update(value, optimizer, "generator")
    return value.detach()


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]
