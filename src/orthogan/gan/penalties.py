r"""Gradient penalties: how fast the discriminator may change at real and at fake images.

$|\nabla_x D(x)|^2$, summed over pixels, is R1 at real images and R2 at fakes (Mescheder et al.
2018, equation 9; Roth et al. 2017). A penalty returns the logits too: one forward pass for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

from orthogan.attention import second_derivatives
from orthogan.attention.fused import is_transformed
from orthogan.errors import ConfigError
from orthogan.registry import Registry
from orthogan.rng import NormalSource, normal, to_device
from orthogan.shapes import Images, Logits, PerImage, Scalar

OfImages: TypeAlias = Callable[[Images], Logits]  # a discriminator, its classes filled in
Noise: TypeAlias = NormalSource | None
Penalty: TypeAlias = Callable[[OfImages, Images, Noise], tuple[Logits, PerImage]]
PENALTIES: Registry[Penalty] = Registry("penalty", "orthogan.gan.penalties", group="penalties")

# Small beside the range [-1, 1] of a pixel, so that the difference measures the gradient, and not
# so small that it drowns in the rounding of the logits.
FINITE_DIFFERENCE_STEP = 0.02


@PENALTIES.register("exact")
def squared_gradient_norm(
    discriminate: OfImages, images: Images, _noise: Noise
) -> tuple[Logits, PerImage]:
    r"""Logits and $|\nabla_x D(x)|^2$ of each image; D must be twice differentiable."""

    def total(points: Images) -> tuple[Scalar, Logits]:
        # Each logit depends on its own image alone, so the gradient of the sum holds all of them.
        logits = discriminate(points)
        return logits.sum(), logits

    if is_transformed():  # a compiler, which sees through function transforms alone
        gradient, logits = torch.func.grad(total, has_aux=True)(images)
    else:
        images = images.detach().requires_grad_()
        with second_derivatives():  # the fused attention kernels have none
            value, logits = total(images)
        # The graph of this gradient is kept, since the penalty is differentiated by the weights.
        (gradient,) = torch.autograd.grad(value, images, create_graph=True)
    return logits, gradient.square().sum(dim=(1, 2, 3))


@PENALTIES.register("finite-difference")
def finite_difference(
    discriminate: OfImages, images: Images, noise: Noise
) -> tuple[Logits, PerImage]:
    r"""Logits and $((D(x + s \epsilon) - D(x)) / s)^2$, whose mean is near $|\nabla_x D(x)|^2$.

    One random direction per image: unbiased as $s \to 0$, noisy, and of first order, so that any
    attention kernel will do.

    Raises:
        ConfigError: there is no noise to draw directions from.
    """
    if noise is None:
        raise ConfigError("The finite-difference penalty needs a source of random directions.")
    direction = to_device(normal(tuple(images.shape), noise), images.device).to(images.dtype)
    moved = images + FINITE_DIFFERENCE_STEP * direction
    logits, moved_logits = discriminate(torch.cat([images, moved])).chunk(2)
    return logits, ((moved_logits - logits) / FINITE_DIFFERENCE_STEP).square()


@PENALTIES.register("none")
def no_penalty(discriminate: OfImages, images: Images, _noise: Noise) -> tuple[Logits, PerImage]:
    """Logits alone; the penalty is zero."""
    logits = discriminate(images)
    return logits, torch.zeros_like(logits)
