"""The saturated start: the discriminator wins within seconds and every fake is one image.

The generator then gets no usable gradient and stays there for good. Two signs together tell it
from a healthy start: the fakes hardly differ from each other, and the discriminator tells nearly
every pair apart.
"""

from __future__ import annotations

from typing import Any

import torch

from orthogan.adversarial.steps import DiscriminatorStep
from orthogan.shapes import Images

# Variance over the batch, fake over real. Fakes of the default recipe are above 0.1 from the
# eighth step on (docs/log.md); those of a dead generator hardly differ at all.
MIN_SPREAD = 0.02
# Share of (real, fake) pairs told apart, as the mean of sigmoid(D(x) - D(G(z))).
MAX_WIN = 0.9
# A look takes about a millisecond and a half; at every 8th step that is below a hundredth of it.
STEPS_BETWEEN_LOOKS = 8
# 12 looks are about 100 steps: a few seconds, far longer than the default start stays flat.
PATIENCE = 12


class SaturationWatch:
    """Counts how many looks in a row showed a saturated pair.

    Args:
        looks: Saturated looks in a row so far.
        steps: Steps so far.
    """

    def __init__(self, looks: int = 0, steps: int = 0) -> None:
        self.looks, self.steps = looks, steps

    def see(self, real: Images, fake: Images, judged: DiscriminatorStep) -> None:
        """Take one step into account."""
        self.steps += 1
        if self.steps % STEPS_BETWEEN_LOOKS == 0:
            flat = spread(fake) < MIN_SPREAD * spread(real)
            beaten = torch.sigmoid(judged.real - judged.fake).mean() > MAX_WIN
            self.looks = self.looks + 1 if bool(flat & beaten) else 0

    @property
    def is_saturated(self) -> bool:
        """Whether the start is lost."""
        return self.looks >= PATIENCE

    def state(self) -> dict[str, Any]:
        """The arguments that make the same watch again."""
        return {"looks": self.looks, "steps": self.steps}


def spread(images: Images) -> torch.Tensor:
    """The variance of each pixel over the batch, averaged over pixels.

    >>> spread(torch.zeros(4, 1, 2, 2))
    tensor(0.)
    """
    return images.float().var(dim=0).mean()
