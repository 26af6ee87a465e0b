"""What the discriminator answers: does it know images by heart?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from orthogan.shapes import FakeImages, Images, UnseenImages

# Five passes of D without gradients: well below a hundredth of so many steps.
STEPS_BETWEEN_QUESTIONS = 64
NUM_ASKED = 64  # images of each kind, however small the batch
REMEMBERED = 0.75  # of the running means, a look: some four looks
SMALLEST_LEAD = 1e-6  # logits; below it real images do not look more real than fakes


class JudgeSigns:
    r"""Running answers of the discriminator.

    The overfitting is $r = (E[D(x)] - E[D(x')]) / (E[D(x)] - E[D(G(z))])$ over training images x
    and unseen ones x' (Karras et al. 2020, equation 1), as in `gan.overfitting`. What a wrong class
    changes is not asked: late in a healthy run it changes nothing (docs/log.md).

    Args:
        means: The running means by their names; empty at a start.
    """

    def __init__(self, means: Mapping[str, float] | None = None) -> None:
        self.means: dict[str, float] = dict(means or {})

    def look(
        self, discriminator: nn.Module, real: Images, unseen: UnseenImages, fake: FakeImages
    ) -> dict[str, float]:
        """The signs, by their names.

        Args:
            discriminator: The player that is asked.
            real: Training images.
            unseen: Images that no step has shown.
            fake: Generated images of the same step.
        """
        parts = [real, unseen, fake]
        logits = discriminator(torch.cat(parts), None).float()
        at_real, at_unseen, at_fake = (
            float(part.mean()) for part in logits.split([len(part) for part in parts])
        )
        gap = self._mean("gap", at_real - at_unseen)
        lead = self._mean("lead", at_real - at_fake)
        return {"overfitting": gap / lead if lead > SMALLEST_LEAD else 0.0}

    def _mean(self, name: str, value: float) -> float:
        before = self.means.get(name, value)
        self.means[name] = REMEMBERED * before + (1 - REMEMBERED) * value
        return self.means[name]

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return {"means": dict(self.means)}
