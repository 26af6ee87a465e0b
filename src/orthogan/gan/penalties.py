r"""Gradient penalties: how steep the discriminator may be at real and at fake images.

The penalised quantity is $|\nabla_x D(x)|^2$, summed over pixels; at real images it is R1, at
fake images R2 (Mescheder et al. 2018, equation 9; Roth et al. 2017). Each penalty returns the
logits as well, so that the loss and the penalty share one forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from orthogan.attention import second_derivatives
from orthogan.attention.fused import is_transformed
from orthogan.errors import ConfigError
from orthogan.registry import Registry
from orthogan.rng import normal, to_device
from orthogan.shapes import Images, Logits

Judge: TypeAlias = Callable[[Tensor], Tensor]
Penalty: TypeAlias = Callable[[Judge, Tensor, np.random.Generator | None], tuple[Tensor, Tensor]]
PENALTIES: Registry[Penalty] = Registry("penalty")

# Small beside the range [-1, 1] of a pixel, so that the difference measures a slope, and not so
# small that it drowns in the rounding of the logits.
FINITE_DIFFERENCE_STEP = 0.02


@PENALTIES.register("exact")
def squared_gradient_norm(
    judge: Judge, images: Images, _source: np.random.Generator | None
) -> tuple[Logits, Logits]:
    r"""Logits and $|\nabla_x D(x)|^2$ of each image, by double backpropagation.

    Args:
        judge: The discriminator; must be twice differentiable.
        images: Where to measure.
    """
    if is_transformed():
        return _by_transform(judge, images)
    images = images.detach().requires_grad_()
    with second_derivatives():
        logits = judge(images)
    (gradient,) = torch.autograd.grad(
        logits, images, grad_outputs=torch.ones_like(logits), create_graph=True
    )
    return logits, gradient.square().sum(dim=(1, 2, 3))


def _by_transform(judge: Judge, images: Tensor) -> tuple[Tensor, Tensor]:
    """The same for a compiler, and inside of a function transform."""

    def total(points: Tensor) -> tuple[Tensor, Tensor]:
        logits = judge(points)
        return logits.sum(), logits

    gradient, logits = torch.func.grad(total, has_aux=True)(images)
    return logits, gradient.square().sum(dim=(1, 2, 3))


@PENALTIES.register("finite-difference")
def finite_difference(
    judge: Judge, images: Images, source: np.random.Generator | None
) -> tuple[Logits, Logits]:
    r"""Logits and $((D(x + s \epsilon) - D(x)) / s)^2$, whose mean is near $|\nabla_x D(x)|^2$.

    One random direction an image: unbiased as $s \to 0$, noisy, and first order only, so that
    any attention kernel will do.

    Raises:
        ConfigError: there is no source of directions.
    """
    if source is None:
        raise ConfigError("The finite-difference penalty needs a source of random directions.")
    noise = to_device(normal(tuple(images.shape), source), images.device).to(images.dtype)
    moved = images + FINITE_DIFFERENCE_STEP * noise
    logits, moved_logits = judge(torch.cat([images, moved])).chunk(2)
    return logits, ((moved_logits - logits) / FINITE_DIFFERENCE_STEP).square()


@PENALTIES.register("none")
def no_penalty(
    judge: Judge, images: Images, _source: np.random.Generator | None
) -> tuple[Logits, Logits]:
    """Logits alone; the penalty is zero."""
    logits = judge(images)
    return logits, torch.zeros_like(logits)
