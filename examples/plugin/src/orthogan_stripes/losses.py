"""The logistic loss with smoothed real labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from orthogan.gan.losses import LOSSES


def smoothed_generator(_real: Tensor, fake: Tensor) -> Tensor:
    """-log D(G(z))."""
    return softplus(-fake).mean()


@LOSSES.register("smoothed", generator=smoothed_generator)
def smoothed_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy with real labels of 0.9 (Salimans et al. 2016, section 3.4)."""
    smooth = 0.9 * softplus(-real) + 0.1 * softplus(real)
    return smooth.mean() + softplus(fake).mean()
