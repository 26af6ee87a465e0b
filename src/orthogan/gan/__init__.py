"""GANs: the method (`step`, `losses`, `penalties`), its configuration, training and session."""

from orthogan.gan.backend import Backend
from orthogan.gan.losses import LOSSES, Loss
from orthogan.gan.objectives import Batch, Objective
from orthogan.gan.penalties import PENALTIES, squared_gradient_norm
from orthogan.gan.step import discriminator_step, generator_step

__all__ = [
    "LOSSES",
    "PENALTIES",
    "Backend",
    "Batch",
    "Loss",
    "Objective",
    "discriminator_step",
    "generator_step",
    "squared_gradient_norm",
]
