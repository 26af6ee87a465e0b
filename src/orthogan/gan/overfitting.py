r"""How far the discriminator overfits, and the probability of augmentation that follows from it.

$r = \frac{E[D(x)] - E[D(x')]}{E[D(x)] - E[D(G(z))]}$

over training images x, held-out images x' and fakes: 0 where held-out images look as real as those
trained on, 1 where they look like fakes. It is $r_v$ of Karras et al. 2020 (section 3.1, equation
1). Their other measure, the sign of D, says nothing here: a relativistic loss leaves the zero of D
open, while $r$ does not feel a constant added to it.
"""

from __future__ import annotations

from typing import Any

import torch

from orthogan.shapes import Logits

STEPS_BETWEEN_LOOKS = 8  # a look is one forward pass of D without gradients: 2 % of eight steps
# Below .8 an augmentation does not leak into the fakes (Karras et al. 2020, section 2.2).
MOST_PROBABLE = 0.8
TARGET = 0.5  # of r; the middle of the range, as found by Karras et al. 2020 (appendix D)
# Images in which the probability could rise from 0 to 1. Theirs take half a million, of 25; a run
# of five minutes here has 150 thousand.
IMAGES_TO_RISE = 25_000
REMEMBERED = 0.9  # of the means at each look: some ten looks of 64 images


class Overfitting:
    """Follows r, and moves the probability by a small step towards where r is at its target.

    Args:
        probability: Of each augmentation.
        looks: How often it was measured.
        gap: Running mean of $D(x) - D(x')$.
        margin: Running mean of $D(x) - D(G(z))$.
    """

    def __init__(
        self, probability: float = 0.0, looks: int = 0, gap: float = 0.0, margin: float = 0.0
    ) -> None:
        self.probability, self.looks = probability, looks
        self.gap, self.margin = gap, margin

    def observe(self, real: Logits, held_out: Logits, fake: Logits, images: int) -> None:
        """Take the logits of one moment into account.

        Args:
            real: Of images trained on.
            held_out: Of images that are not.
            fake: Of generated images.
            images: Trained on since the last look.
        """
        means = torch.stack([each.float().mean() for each in (real, held_out, fake)])
        at_real, at_held_out, at_fake = means.tolist()  # one transfer
        kept = REMEMBERED if self.looks else 0.0
        # Differences, and not the means themselves: those drift together.
        self.gap = kept * self.gap + (1 - kept) * (at_real - at_held_out)
        self.margin = kept * self.margin + (1 - kept) * (at_real - at_fake)
        self.looks += 1
        step = images / IMAGES_TO_RISE
        moved = self.probability + (step if self.ratio > TARGET else -step)
        self.probability = min(max(moved, 0.0), MOST_PROBABLE)

    @property
    def ratio(self) -> float:
        """The running r; 0 while training images do not look more real than fakes."""
        return self.gap / self.margin if self.margin > 0 else 0.0

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return dict(vars(self))
