"""Axes of a plot: where a number lies on them, and which numbers are written beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orthogan.report.wording import tick

Kind: TypeAlias = Literal["linear", "log", "count"]
STEPS = (1.0, 2.0, 5.0, 10.0)
FEW_DECADES = 2.0  # on a shorter logarithmic axis 2 and 5 are written too


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: What is measured, with its unit.
        low: Number at its beginning.
        high: Number at its end, larger.
        kind: `linear`, `log` (positive numbers) or `count` (the logarithm of one more, so that
            0 has a place).
        written: How a number beside the axis is written.
        whole: Whether only whole numbers are written beside it.
    """

    label: str
    low: float
    high: float
    kind: Kind = "linear"
    written: Callable[[float], str] = tick
    whole: bool = False

    def place(self, value: float) -> float:
        """Where a number lies: 0 at the beginning, 1 at the end; what is outside at the border.

        >>> Axis("x", 1.0, 100.0, "log").place(10.0)
        0.5
        """
        low, high = self._stretched(self.low), self._stretched(self.high)
        place = (self._stretched(value) - low) / (high - low)
        return min(max(place, 0.0), 1.0)

    def ticks(self, most: int) -> list[float]:
        """About so many round numbers on the axis.

        >>> Axis("x", 0.0, 9.0).ticks(6), Axis("x", 1.0, 1000.0, "log").ticks(6)
        ([0.0, 2.0, 4.0, 6.0, 8.0], [1.0, 10.0, 100.0, 1000.0])
        """
        if self.kind == "linear":
            return _round_numbers(self.low, self.high, most, 1.0 if self.whole else 0.0)
        if self.kind == "count":
            return [0.0, *_powers(1.0, max(self.high, 1.0), most - 1)]
        return _powers(self.low, self.high, most)

    def _stretched(self, value: float) -> float:
        if self.kind == "linear":
            return value
        if self.kind == "count":
            return math.log1p(max(value, 0.0))
        return math.log(max(value, self.low * 1e-9))


def spanning(values: Sequence[float], pad: float = 0.04) -> tuple[float, float]:
    """The range of some finite numbers, a little wider, and never of no width.

    >>> spanning([1.0, 1.0])
    (0.5, 1.5)
    """
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        return low, high
    return low - pad * (high - low), high + pad * (high - low)


def _round_numbers(low: float, high: float, most: int, least: float) -> list[float]:
    rough = max((high - low) / max(most, 1), least)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in STEPS if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _powers(low: float, high: float, most: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if math.log10(high / low) < FEW_DECADES:
        steps = [f * 10.0**p for p in range(first - 1, last + 1) for f in (1, 2, 5)]
        return [step for step in steps if low * (1 - 1e-9) <= step <= high * (1 + 1e-9)]
    stride = max(1, math.ceil((last - first + 1) / most))
    return [10.0**power for power in range(first, last + 1, stride)]
