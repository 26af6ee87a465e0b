"""The alarm of the geometry: a collapse that lasts is told once, while it begins.

All signs are on a scale from 0, as healthy as real images or as chance, to 1, complete. The scale
is thus calibrated by the run itself: by the variation of its real images, or by the share that
tokens without any structure would have. A planted collapse reads 1; recipes with a penalty stay
below 0.5 from the 16th step on (docs/geometry.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Nine tenths of the way: far from every healthy reading, and earlier than the watch over the
# start, which asks for 98 % of the variation to be gone.
THRESHOLD = 0.9
# One look may fall on a bad moment of a run that recovers.
PATIENCE = 2

SIGNS = {
    "mode_collapse": "mode collapse: the generated images have lost {:.0%} of the variation of "
    "real ones",
    "generator_rank_collapse": "rank collapse: the generator's tokens of an image are {:.0%} of "
    "the way to being all alike",
    "discriminator_rank_collapse": "rank collapse: the discriminator's tokens of a real image are "
    "{:.0%} of the way to being all alike",
}


class CollapseAlarm:
    """Counts, sign by sign, how many looks in a row were beyond the threshold.

    Args:
        looks: The counts so far.
    """

    def __init__(self, looks: Mapping[str, int] | None = None) -> None:
        self.looks = dict.fromkeys(SIGNS, 0) | dict(looks or {})

    def update(self, look: Mapping[str, Any]) -> list[str]:
        """Take one look into account; a sentence for each collapse that has just been confirmed.

        A collapse is told again only after a look that did not show it. Signs that are None, for
        want of tokens, do not count.
        """
        told = []
        for sign, sentence in SIGNS.items():
            value = look.get(sign)
            collapsed = value is not None and value >= THRESHOLD
            self.looks[sign] = self.looks[sign] + 1 if collapsed else 0
            if self.looks[sign] == PATIENCE:
                told.append(sentence.format(value))
        return told

    @property
    def is_suspicious(self) -> bool:
        """Whether the latest look showed a collapse, confirmed or not."""
        return any(self.looks.values())

    def state(self) -> dict[str, Any]:
        """The arguments that make the same alarm again."""
        return {"looks": dict(self.looks)}
