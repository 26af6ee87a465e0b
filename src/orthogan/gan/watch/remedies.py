"""What is changed when a run goes back to a healthy checkpoint: one thing at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from orthogan.gan.watch.detectors import Remedy

FACTOR = 2.0  # as for a failed start


@dataclass(frozen=True, kw_only=True)
class Remedies:
    """What all rollbacks of a run so far have changed.

    Attributes:
        rate: Share of the planned learning rates.
        penalty: Multiple of the planned weight of the penalty.
        rollbacks: How many there were.
    """

    rate: float = 1.0
    penalty: float = 1.0
    rollbacks: int = 0

    def with_another(self, remedy: Remedy) -> Remedies:
        """The same after one more rollback."""
        counted = replace(self, rollbacks=self.rollbacks + 1)
        if remedy == "rate":
            return replace(counted, rate=self.rate / FACTOR)
        if remedy == "penalty":
            return replace(counted, penalty=self.penalty * FACTOR)
        return counted  # the player's weights are what changes

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return asdict(self)


def in_words(remedy: Remedy) -> str:
    """What is changed, as the end of a sentence that begins with "with".

    >>> in_words("rate"), in_words("generator")
    ('half the learning rates', 'a generator that starts afresh')
    """
    if remedy == "rate":
        return "half the learning rates"
    if remedy == "penalty":
        return "twice the gradient penalty"
    return f"a {remedy} that starts afresh"
