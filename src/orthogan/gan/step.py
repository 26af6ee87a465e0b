r"""The method (R3GAN, Huang et al. 2024): one step of each network on the same batch of pairs.

First the discriminator D descends $L_D + \frac\gamma2 (R_1 + R_2)$, then the generator G descends
$L_G$ through the updated D. `gan.losses` has L, `gan.penalties` R, `gan.objectives` joins them.
"""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from orthogan.gan.backend import EAGER, Backend
from orthogan.gan.losses import Loss
from orthogan.gan.objectives import Batch, DiscriminatorStep, Objective
from orthogan.shapes import Scalar


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    batch: Batch,
    objective: Objective,
    backend: Backend = EAGER,
) -> DiscriminatorStep:
    r"""$\theta_D \leftarrow \theta_D - \eta \nabla_{\theta_D} (L_D + \frac\gamma2 (R_1 + R_2))$.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    batch = batch._replace(fake=batch.fake.detach())  # no gradient reaches the generator
    measured = backend.at_discriminator(discriminator, weights, batch, objective)
    backend.apply(measured.loss, optimizer, "discriminator")
    return DiscriminatorStep(*(part.detach() for part in measured))


def generator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    batch: Batch,
    loss: Loss,
    backend: Backend = EAGER,
) -> Scalar:
    r"""$\theta_G \leftarrow \theta_G - \eta \nabla_{\theta_G} L_G$, with D frozen.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    optimizer.zero_grad(set_to_none=True)
    loss_value = backend.at_generator(discriminator, batch, loss)
    backend.apply(loss_value, optimizer, "generator")
    return loss_value.detach()
