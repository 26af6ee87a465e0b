"""What the discriminator answers: does it know images by heart, and do classes matter?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from orthogan.gan.objectives import Batch
from orthogan.shapes import Images

# Five passes of D without gradients: well below a hundredth of so many steps.
STEPS_BETWEEN_QUESTIONS = 64
NUM_ASKED = 64  # images of each kind, however small the batch
REMEMBERED = 0.75  # of the running means, a look: some four looks
SMALLEST_LEAD = 1e-6  # logits; below it real images do not look more real than fakes


class JudgeSigns:
    r"""Running answers of the discriminator.

    The overfitting is $r = (E[D(x)] - E[D(x')]) / (E[D(x)] - E[D(G(z))])$ over training images x
    and unseen ones x' (Karras et al. 2020, equation 1), as in `gan.overfitting`. The use of the
    classes is how much less real images look under a class that is not theirs, in standard
    deviations of the logit over images: near 0 where the classes say nothing about the images.

    Args:
        means: The running means by their names; empty at a start.
    """

    def __init__(self, means: Mapping[str, float] | None = None) -> None:
        self.means: dict[str, float] = dict(means or {})

    def look(
        self, discriminator: nn.Module, shown: Batch, unseen: Images | None
    ) -> dict[str, float]:
        """The signs that can be had, by their names.

        Args:
            discriminator: The player that is asked.
            shown: The pairs of a step.
            unseen: Images that no step has shown.
        """
        found = {}
        if unseen is not None:
            parts = [shown.real, unseen, shown.fake]
            logits = discriminator(torch.cat(parts), None).float()
            at_real, at_unseen, at_fake = (
                float(part.mean()) for part in logits.split([len(part) for part in parts])
            )
            gap = self._mean("gap", at_real - at_unseen)
            lead = self._mean("lead", at_real - at_fake)
            found["overfitting"] = gap / lead if lead > SMALLEST_LEAD else 0.0
        if shown.labels is not None and bool((shown.labels != shown.labels[0]).any()):
            found["class_use"] = self._class_use(discriminator, shown.real, shown.labels)
        return found

    def _class_use(self, discriminator: nn.Module, real: Images, labels: Tensor) -> float:
        others = labels.roll(1)
        both = discriminator(torch.cat([real, real]), torch.cat([labels, others])).float()
        own, other = both.chunk(2)
        differ = labels != others
        scale = float(both.std())
        mean = float((own - other)[differ].mean()) if scale > 0 else 0.0
        return self._mean("class_use", mean / scale if scale > 0 else 0.0)

    def _mean(self, name: str, value: float) -> float:
        before = self.means.get(name, value)
        self.means[name] = REMEMBERED * before + (1 - REMEMBERED) * value
        return self.means[name]

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return {"means": dict(self.means)}
