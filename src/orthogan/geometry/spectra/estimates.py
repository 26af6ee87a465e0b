"""A measured number beside what chance gives, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

# The range of 39 null draws is an exact 95 % interval: a value that is one more such draw is the
# lowest or the highest of the 40 with probability 2 / 40.
NUM_DRAWS = 39
# What permutations keep (with one column, everything) comes out equal up to this, relatively.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """One measured number and what chance gives in its place.

    Attributes:
        name: What was measured.
        value: The measurement.
        null: Mean over the draws of the null model.
        null_low: Lowest of them; 39 draws make the range a 95 % interval.
        null_high: Highest of them.
        low: Lower end of the 95 % interval of the measurement; None where none is given.
        high: Upper end.
        notes: What a reader must know before using the number.
    """

    name: str
    value: float
    null: float
    null_low: float
    null_high: float
    low: float | None = None
    high: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_beyond_null(self) -> bool:
        """Whether no draw of the null model came as low, or none as high."""
        slack = ROUNDING * max(abs(self.null_low), abs(self.null_high))
        return not self.null_low - slack <= self.value <= self.null_high + slack

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `json.dumps` takes it."""
        return {**asdict(self), "notes": list(self.notes), "is_beyond_null": self.is_beyond_null}

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{self.low:.4g}, {self.high:.4g}]"
        null = f"null {self.null:.4g}, {self.null_low:.4g} to {self.null_high:.4g}"
        return f"{self.name} {self.value:.4g}{interval} ({null})"


def beside_null(
    name: str,
    value: float,
    draws: Sequence[float],
    interval: tuple[float, float] | None = None,
    notes: tuple[str, ...] = (),
) -> Estimate:
    """The estimate that a value and the draws of its null model make.

    >>> print(beside_null("rank", 3.0, [7.0, 8.0]))
    rank 3 (null 7.5, 7 to 8)
    """
    low, high = interval or (None, None)
    mean = math.fsum(draws) / len(draws)
    return Estimate(name, value, mean, min(draws), max(draws), low, high, notes)
