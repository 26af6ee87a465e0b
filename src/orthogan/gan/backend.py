"""How gradients are computed and applied: here as written, in `gan.compiled` compiled."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

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

# The weights of a network that an optimizer moves.
Moved: TypeAlias = list[Tensor]


class Backend:
    """The reference: every number of a step, as PyTorch's autograd computes it.

    Args:
        update: Steps an optimizer.

    Attributes:
        gradient_norms: Of the latest update of each network, by its name.
        parts: Into how many a batch is divided, so that it fits into memory.
    """

    def __init__(self, update: Update = update_now) -> None:
        self.update, self.parts = update, 1
        self.gradient_norms: dict[str, Scalar] = {}

    def apply(self, loss: Scalar, optimizer: Optimizer, network: str) -> None:
        """Updates a network by the gradients that were left at it, and notes their norm.

        Raises:
            DivergedError: the loss or a gradient is not finite; nothing was updated.
        """
        self.gradient_norms[network] = self.update(loss, optimizer, network)

    def generate(self, generator: nn.Module, latents: Latents, labels: Labels | None) -> Images:
        """Fakes, made once for both networks."""
        images: Images = generator(latents, labels)
        return images

    def at_discriminator(
        self, discriminator: nn.Module, weights: Moved, batch: Batch, objective: Objective
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
