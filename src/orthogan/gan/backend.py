"""How gradients are computed and applied: here as written, in `gan.compiled` compiled."""

from __future__ import annotations

from torch import Tensor, nn

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


class Backend:
    """The reference: every number of a step, as PyTorch's autograd computes it.

    Args:
        update: Steps an optimizer.
    """

    def __init__(self, update: Update = update_now) -> None:
        self.update = update

    def generate(self, generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
        """Fakes, made once for both networks."""
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

    def at_generator(self, discriminator: nn.Module, batch: Batch, loss: Loss) -> Scalar:
        """Leaves gradients at the weights behind the fakes; returns the loss."""
        value = generator_objective(discriminator, batch, loss)
        value.backward()
        return value


EAGER = Backend()
