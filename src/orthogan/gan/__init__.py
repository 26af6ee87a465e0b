"""The adversarial game: losses, gradient penalties, and one step of each player."""

from orthogan.gan.losses import Loss, loss_names, losses
from orthogan.gan.penalties import penalty_names, squared_gradient_norm
from orthogan.gan.step import discriminator_step, generator_step

__all__ = [
    "Loss",
    "discriminator_step",
    "generator_step",
    "loss_names",
    "losses",
    "penalty_names",
    "squared_gradient_norm",
]
