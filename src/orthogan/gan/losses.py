r"""Adversarial losses: what each network minimizes, given the logits of a batch of pairs.

A logit $D(x)$ is the discriminator's output before the sigmoid. Losses are written in logits:
$\mathrm{softplus}(-D) = -\log \sigma(D)$ keeps its gradient where the sigmoid rounds to 0 or 1.
Real and fake logits are paired by position, which only the relativistic loss uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch.nn.functional import relu, softplus

from orthogan.registry import TraitRegistry
from orthogan.shapes import Logits, Scalar


class Loss(NamedTuple):
    """Two functions of (real logits, fake logits)."""

    discriminator: Callable[[Logits, Logits], Scalar]
    generator: Callable[[Logits, Logits], Scalar]


LOSSES = TraitRegistry("loss", Loss, "orthogan.gan.losses", group="losses")


def relativistic_generator(real: Logits, fake: Logits) -> Scalar:
    r"""$\mathrm{softplus}(-(D(G(z)) - D(x)))$: each fake is to be above its own real image."""
    return softplus(real - fake).mean()


# Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN), equation 2.
@LOSSES.register("relativistic", generator=relativistic_generator)
def relativistic_discriminator(real: Logits, fake: Logits) -> Scalar:
    r"""$\mathrm{softplus}(-(D(x) - D(G(z))))$: each real image is to be above its own fake."""
    return softplus(fake - real).mean()


def non_saturating_generator(_real: Logits, fake: Logits) -> Scalar:
    r"""$-\log \sigma(D(G(z)))$; $\log(1 - \sigma)$ is flat where the discriminator wins."""
    return softplus(-fake).mean()


# Goodfellow et al. 2014, section 3.
@LOSSES.register("non-saturating", generator=non_saturating_generator)
def cross_entropy_discriminator(real: Logits, fake: Logits) -> Scalar:
    r"""$-\log \sigma(D(x)) - \log(1 - \sigma(D(G(z))))$."""
    return softplus(-real).mean() + softplus(fake).mean()


def critic_generator(_real: Logits, fake: Logits) -> Scalar:
    r"""$-D(G(z))$."""
    return -fake.mean()


# Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17.
@LOSSES.register("hinge", generator=critic_generator)
def hinge_discriminator(real: Logits, fake: Logits) -> Scalar:
    r"""$\max(0, 1 - D(x)) + \max(0, 1 + D(G(z)))$: no gain beyond a margin of 1."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


# Arjovsky et al. 2017, equation 2.
@LOSSES.register("wasserstein", generator=critic_generator)
def critic_discriminator(real: Logits, fake: Logits) -> Scalar:
    r"""$D(G(z)) - D(x)$: without bound, so it needs a gradient penalty (or weight clipping)."""
    return fake.mean() - real.mean()


def least_squares_generator(_real: Logits, fake: Logits) -> Scalar:
    r"""$\frac12 (D(G(z)) - 1)^2$."""
    return 0.5 * (fake - 1).square().mean()


# Mao et al. 2017, equation 9.
@LOSSES.register("least-squares", generator=least_squares_generator)
def least_squares_discriminator(real: Logits, fake: Logits) -> Scalar:
    r"""$\frac12 (D(x) - 1)^2 + \frac12 D(G(z))^2$."""
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()
