"""Adversarial losses: what each network minimizes, given the logits of a batch.

A logit is the discriminator's output before the sigmoid; batches of real and fake logits are
paired by position, which only the relativistic loss uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from orthogan.registry import Registry
from orthogan.shapes import Logits


class Loss(NamedTuple):
    """Two functions of (real logits, fake logits), each returning a scalar to minimise."""

    discriminator: Callable[[Logits, Logits], Tensor]
    generator: Callable[[Logits, Logits], Tensor]


losses: Registry[Loss] = Registry("loss")


def relativistic_discriminator(real: Logits, fake: Logits) -> Tensor:
    r"""$\mathrm{softplus}(-(D(x) - D(G(z))))$, averaged over pairs."""
    return functional.softplus(fake - real).mean()


def relativistic_generator(real: Logits, fake: Logits) -> Tensor:
    r"""$\mathrm{softplus}(-(D(G(z)) - D(x)))$, averaged over pairs."""
    return functional.softplus(real - fake).mean()


def cross_entropy_discriminator(real: Logits, fake: Logits) -> Tensor:
    r"""$-\log \sigma(D(x)) - \log(1 - \sigma(D(G(z))))$."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def non_saturating_generator(_real: Logits, fake: Logits) -> Tensor:
    r"""$-\log \sigma(D(G(z)))$."""
    return functional.softplus(-fake).mean()


def hinge_discriminator(real: Logits, fake: Logits) -> Tensor:
    r"""$\max(0, 1 - D(x)) + \max(0, 1 + D(G(z)))$."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def critic_discriminator(real: Logits, fake: Logits) -> Tensor:
    r"""$D(G(z)) - D(x)$."""
    return fake.mean() - real.mean()


def critic_generator(_real: Logits, fake: Logits) -> Tensor:
    r"""$-D(G(z))$."""
    return -fake.mean()


def least_squares_discriminator(real: Logits, fake: Logits) -> Tensor:
    r"""$\frac12 (D(x) - 1)^2 + \frac12 D(G(z))^2$."""
    return 0.5 * torch.square(real - 1).mean() + 0.5 * torch.square(fake).mean()


def least_squares_generator(_real: Logits, fake: Logits) -> Tensor:
    r"""$\frac12 (D(G(z)) - 1)^2$."""
    return 0.5 * torch.square(fake - 1).mean()


# Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN), equation 2.
losses.register("relativistic")(Loss(relativistic_discriminator, relativistic_generator))
# Goodfellow et al. 2014, section 3.
losses.register("non-saturating")(Loss(cross_entropy_discriminator, non_saturating_generator))
# Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17.
losses.register("hinge")(Loss(hinge_discriminator, critic_generator))
# Arjovsky et al. 2017, equation 2; needs a gradient penalty in place of weight clipping.
losses.register("wasserstein")(Loss(critic_discriminator, critic_generator))
# Mao et al. 2017, equation 9.
losses.register("least-squares")(Loss(least_squares_discriminator, least_squares_generator))
