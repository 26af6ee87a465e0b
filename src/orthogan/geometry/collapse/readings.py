"""One record for every sign of collapse: value, what chance gives, threshold, verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from orthogan.errors import ConfigError

Verdict: TypeAlias = Literal["healthy", "collapsed", "undecided"]


@dataclass(frozen=True)
class CollapseReading:
    """One sign of collapse at one moment.

    Attributes:
        name: What was read.
        value: The reading, in its own unit.
        null: What chance, or a healthy reference, gives; None where there is none.
        threshold: Where collapse begins; None leaves the verdict undecided.
        verdict: `healthy`, `collapsed`, or `undecided` where the reading cannot tell.
        collapse_is_high: Whether collapse lies above the threshold, or below.
        note: Why the reading cannot tell, or what it means; may be empty.
    """

    name: str
    value: float
    null: float | None
    threshold: float | None
    verdict: Verdict
    collapse_is_high: bool = True
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings; `json.dumps` takes it."""
        return asdict(self)

    def __str__(self) -> str:
        null = "" if self.null is None else f", null {self.null:.4g}"
        side = "above" if self.collapse_is_high else "below"
        limit = "" if self.threshold is None else f", collapse {side} {self.threshold:.4g}"
        note = f"; {self.note}" if self.note else ""
        return f"{self.name} {self.value:.4g}{null}{limit}: {self.verdict}{note}"


def collapse_reading(
    name: str,
    value: float,
    null: float | None = None,
    threshold: float | None = None,
    collapse_is_high: bool = True,
    note: str = "",
) -> CollapseReading:
    """A reading with its verdict: collapsed at or beyond the threshold.

    Args:
        name: What was read.
        value: The reading.
        null: What chance, or a healthy reference, gives.
        threshold: Where collapse begins. Undecided without one, and where the null itself lies
            beyond it: then even a healthy model would read as collapsed.
        collapse_is_high: Whether collapse lies above the threshold, or below.
        note: What the reader should know.

    Raises:
        ConfigError: the value is not finite.

    >>> collapse_reading("mode collapse", 0.9, null=0.1, threshold=0.5).verdict
    'collapsed'
    """
    if not math.isfinite(value):
        raise ConfigError(f"The reading '{name}' must be finite, got {value}.")

    def beyond(one: float, limit: float) -> bool:
        return one >= limit if collapse_is_high else one <= limit

    verdict: Verdict = "undecided"
    if threshold is not None and not (null is not None and beyond(null, threshold)):
        verdict = "collapsed" if beyond(value, threshold) else "healthy"
    return CollapseReading(name, value, null, threshold, verdict, collapse_is_high, note)


@dataclass(frozen=True)
class LearnedThreshold:
    """A threshold that separates planted failures from healthy runs, and how well it does.

    Attributes:
        threshold: Midway between the two readings it separates.
        collapse_is_high: On which side the failures lie.
        caught: Share of the failures on their side.
        false_alarms: Share of the healthy readings on the failures' side.
    """

    threshold: float
    collapse_is_high: bool
    caught: float
    false_alarms: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; `json.dumps` takes it."""
        return asdict(self)

    def __str__(self) -> str:
        side = "above" if self.collapse_is_high else "below"
        return (
            f"collapse {side} {self.threshold:.4g}: catches {self.caught:.0%}, "
            f"false alarms {self.false_alarms:.0%}"
        )


def learn_threshold(
    healthy: Sequence[float], failed: Sequence[float], collapse_is_high: bool = True
) -> LearnedThreshold:
    """The threshold with the largest caught share less false alarms, on readings with known fate.

    Among equally good ones the widest gap between neighbouring readings is cut in its middle.

    Args:
        healthy: Readings of healthy models.
        failed: Readings of models in which a failure was planted.
        collapse_is_high: On which side the failures lie.

    Raises:
        ConfigError: one of the lists is empty or not finite, or no cut does better than none.

    Source: Youden 1950 ("Index for rating diagnostic tests").

    >>> print(learn_threshold([0.1, 0.2], [0.8, 0.9]))
    collapse above 0.5: catches 100%, false alarms 0%
    """
    if not healthy or not failed:
        raise ConfigError("A threshold needs at least one healthy and one failed reading.")
    if not all(map(math.isfinite, (*healthy, *failed))):
        raise ConfigError("Readings to learn a threshold from must be finite.")
    sign = 1 if collapse_is_high else -1
    good, bad = [sign * one for one in healthy], [sign * one for one in failed]
    known = sorted({*good, *bad})
    gaps = {(low + high) / 2: high - low for low, high in pairwise(known)}
    best = max(gaps, key=lambda cut: (_youden(good, bad, cut), gaps[cut]), default=None)
    if best is None or _youden(good, bad, best) <= 0:
        raise ConfigError("The failed readings do not lie on the side that was named as collapse.")
    caught, alarms = _count_from(bad, best) / len(bad), _count_from(good, best) / len(good)
    return LearnedThreshold(sign * best, collapse_is_high, caught, alarms)


def _youden(good: list[float], bad: list[float], cut: float) -> int:
    # In whole numbers, so that equally good cuts tie exactly.
    return _count_from(bad, cut) * len(good) - _count_from(good, cut) * len(bad)


def _count_from(readings: list[float], cut: float) -> int:
    return sum(one >= cut for one in readings)
