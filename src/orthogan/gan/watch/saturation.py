"""The failed start: every fake is one image, with or without a discriminator that has won.

Where the discriminator wins within seconds, the generator gets no usable gradient and stays there
for good; two signs together tell that from a healthy start: the fakes hardly differ from each
other, and nearly every pair is told apart. Where neither wins, the fakes alone tell, and they get
more time.
"""

from __future__ import annotations

from typing import Any

import torch

from orthogan.gan.objectives import DiscriminatorStep
from orthogan.shapes import Images

# Variance over the batch, fake over real. Fakes of the default recipe are above 0.1 from the
# eighth step on (docs/log.md); those of a failed generator hardly differ at all.
MIN_SPREAD = 0.02
# Below this fraction every measurement is a suspicion, long before the verdict: healthy starts are
# above half of the real variance from the 64th step on (docs/log.md).
SUSPICIOUS_SPREAD = 0.1
# Fraction of (real, fake) pairs told apart, as the mean of sigmoid(D(x) - D(G(z))).
MAX_WIN = 0.9
# A look takes about a millisecond and a half; at every 8th step that is below a hundredth of it.
STEPS_BETWEEN_MEASUREMENTS = 8
# 12 looks are about 100 steps: a few seconds, far longer than the default start stays flat.
PATIENCE = 12
# 38 looks are about 300 steps: healthy starts have unfolded after 64 (docs/log.md).
FLAT_PATIENCE = 38

# Healthy images vary by half of what real ones do from here on (docs/log.md).
UNFOLDED_STEPS = 64

WON = "the discriminator won and every image is the same"
UNDECIDED = "every image has long been the same, although the discriminator has not won"


class SaturationWatch:
    """Counts how many looks in a row showed a saturated pair, and how many one image only.

    Args:
        looks: Saturated looks in a row so far.
        steps: Steps so far.
        flat_looks: Looks in a row so far at which the fakes were alike, whoever was winning.
    """

    def __init__(self, looks: int = 0, steps: int = 0, flat_looks: int = 0) -> None:
        self.looks, self.steps, self.flat_looks = looks, steps, flat_looks
        self.is_suspicious = flat_looks > 0

    def observe(self, real: Images, fake: Images, judged: DiscriminatorStep) -> None:
        """Take one step into account."""
        self.steps += 1
        if self.has_measured:
            at_fake, at_real = spread(fake), spread(real)
            flat = at_fake < MIN_SPREAD * at_real
            beaten = torch.sigmoid(judged.real - judged.fake).mean() > MAX_WIN
            varied = at_fake >= SUSPICIOUS_SPREAD * at_real  # not so if one of them is NaN
            found = torch.stack([flat, flat & beaten, varied]).tolist()  # one transfer
            is_flat, is_saturated, is_varied = found
            self.is_suspicious = not is_varied
            self.looks = self.looks + 1 if is_saturated else 0
            self.flat_looks = self.flat_looks + 1 if is_flat else 0

    @property
    def is_due(self) -> bool:
        """Whether the next step is one to look at the images."""
        return (self.steps + 1) % STEPS_BETWEEN_MEASUREMENTS == 0

    @property
    def has_measured(self) -> bool:
        """Whether the latest step was one to look at the images."""
        return self.steps % STEPS_BETWEEN_MEASUREMENTS == 0

    @property
    def verdict(self) -> str:
        """Why the start is lost, as the middle of a sentence; empty if it is not."""
        if self.looks >= PATIENCE:
            return WON
        return UNDECIDED if self.flat_looks >= FLAT_PATIENCE else ""

    @property
    def is_saturated(self) -> bool:
        """Whether the start is lost."""
        return bool(self.verdict)

    def state(self) -> dict[str, Any]:
        """The arguments that make the same watch again."""
        return {"looks": self.looks, "steps": self.steps, "flat_looks": self.flat_looks}


def spread(images: Images) -> torch.Tensor:
    """The variance of each pixel over the batch, averaged over pixels.

    >>> spread(torch.zeros(4, 1, 2, 2))
    tensor(0.)
    """
    return images.float().var(dim=0).mean()
