"""What each network minimizes on a batch of pairs: a loss, and for the discriminator a penalty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch

from orthogan.gan.losses import Loss
from orthogan.gan.penalties import Noise, OfImages, Penalty
from orthogan.shapes import Images, Labels, Logits, Scalar
from orthogan.training.precision import at_least_float32

Discriminate: TypeAlias = Callable[[Images, Labels | None], Logits]


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
    gamma: float | Scalar  # weight of the penalty, logits squared per squared pixel unit
    fraction: float = 1.0  # of the pairs that is penalized: the first ones, on behalf of all
    noise: Noise = None  # for penalties along random directions


class DiscriminatorStep(NamedTuple):
    """What one step measured; all before the update."""

    loss: Scalar
    penalty: Scalar  # mean squared gradient norm over the penalized images, real and fake
    real: Logits
    fake: Logits


def discriminator_objective(
    discriminate: Discriminate, batch: Batch, objective: Objective
) -> DiscriminatorStep:
    r"""$L_D$ and $\frac12 (R_1 + R_2)$, of which D minimizes $L_D + \frac\gamma2 (R_1 + R_2)$."""
    num_pairs = len(batch.real)
    num_penalized = math.ceil(objective.fraction * num_pairs)  # a penalty triples an image's cost
    images_of = _stacked(discriminate, batch, slice(num_penalized))
    logits, squared_gradient = objective.penalty(*images_of, objective.noise)
    logits = at_least_float32(logits).unflatten(0, (2, -1))
    if num_penalized < num_pairs:
        of_images, images = _stacked(discriminate, batch, slice(num_penalized, None))
        others = at_least_float32(of_images(images)).unflatten(0, (2, -1))
        logits = torch.cat([logits, others], dim=1)
    loss = objective.loss.discriminator(*logits)
    # The mean runs over real and fake images together, so it is (R1 + R2) / 2.
    return DiscriminatorStep(loss, squared_gradient.mean(), *logits)


def generator_objective(discriminate: Discriminate, batch: Batch, loss: Loss) -> Scalar:
    """$L_G$, where the real logits, which only relativistic losses use, are constants."""
    fake = at_least_float32(discriminate(batch.fake, batch.labels))
    real = torch.zeros_like(fake) if batch.real_logits is None else batch.real_logits
    return loss.generator(real, fake)


def _stacked(discriminate: Discriminate, batch: Batch, chosen: slice) -> tuple[OfImages, Images]:
    """D with the classes filled in, and both images of some pairs: one pass, real ones first."""
    labels = None if batch.labels is None else batch.labels[chosen].repeat(2)

    def of_images(images: Images) -> Logits:  # or of moved copies of them, one behind the other
        copies = len(images) // (2 * len(batch.real[chosen]))
        return discriminate(images, None if labels is None else labels.repeat(copies))

    return of_images, torch.stack([batch.real, batch.fake])[:, chosen].flatten(0, 1)
