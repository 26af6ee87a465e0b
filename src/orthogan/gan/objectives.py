"""What the two players minimise, given a batch of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from orthogan.gan.losses import Loss
from orthogan.gan.penalties import Judge, Penalty
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


def penalised(measured: DiscriminatorStep, gamma: float | Tensor) -> Tensor:
    r"""What the discriminator minimises: loss $+ \frac\gamma2 (R_1 + R_2)$."""
    return measured.loss + gamma * measured.penalty


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


def _judge(discriminator: Discriminate, labels: Labels | None, pairs: slice = slice(None)) -> Judge:
    """Logits of one or two images of each of these pairs, all real ones before the fakes."""
    if labels is None:
        return discriminator
    told = labels[pairs]
    return lambda images: discriminator(images, told.repeat(len(images) // len(told)))


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or in float64 if they are in that.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
