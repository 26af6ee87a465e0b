"""Where a score can lie, and intervals that stay there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import BaseModel

MAX_EXPONENT = 700.0  # e to it is still a float


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Range:
    """Where the values of a score can lie; it decides the scale of their intervals.

    Attributes:
        lowest: No value of it is smaller.
        highest: No value of it is larger.
        is_unbiased: What is estimated cannot leave the range, but a measured value may by chance.
    """

    lowest: float = -math.inf
    highest: float = math.inf
    is_unbiased: bool = False

    def cut(self, interval: Interval, value: float) -> Interval:
        """The interval as far as it is possible; it always holds the value.

        What is estimated lies in the range, so that nothing is lost: the interval holds it as
        often as before.

        >>> Range(0.0, 1.0).cut(Interval(-0.2, 0.4), 0.1)
        Interval(low=0.0, high=0.4)
        """
        low, high = interval
        return Interval(
            min(max(low, self.lowest), value) if low < self.lowest else low,
            max(min(high, self.highest), value) if high > self.highest else high,
        )

    def around(self, mean: float, half: float) -> Interval:
        r"""The interval of a mean, `half` to each side on the scale of the range.

        That scale is $\log(x - a)$ above a lowest value $a$, and $\log((x - a) / (b - x))$ up to a
        highest value $b$: there, scores near an end spread as far to one side as to the other.
        `half` is taken to it by the slope at the mean, so it is still the mean that the interval
        is about, and where it is far from the ends, the interval is $\bar x \pm h$. An
        unbiased score may lie outside, where there is no such scale: its interval is cut.

        >>> low, high = Range(0.0).around(4.0, 8.0)
        >>> round(low, 3), round(high, 3)
        (0.541, 29.556)
        """
        has_scale = self.lowest < mean < self.highest and not self.is_unbiased
        if math.isinf(self.lowest) or not has_scale or half == 0:
            return self.cut(Interval(mean - half, mean + half), mean)
        below, above = mean - self.lowest, self.highest - mean
        if math.isinf(above):
            factor = math.exp(min(half / below, MAX_EXPONENT))
            return Interval(self.lowest + below / factor, self.lowest + below * factor)
        width = self.highest - self.lowest
        factor = math.exp(min(half * width / (below * above), MAX_EXPONENT))
        low = self.lowest + width * below / (below + above * factor)
        # The end that is near keeps its digits: a difference from the other would cancel them.
        if below < above:
            high = self.lowest + width * below * factor / (above + below * factor)
        else:
            high = self.highest - width * above / (above + below * factor)
        return Interval(min(low, mean), max(high, mean))

    @property
    def differences(self) -> Range:
        """Where the difference of two values can lie."""
        width = self.highest - self.lowest
        return Range(-width, width)


REAL = Range()
POSITIVE = Range(0.0)
SHARE = Range(0.0, 1.0)
UNBIASED = Range(0.0, is_unbiased=True)  # a distance less what sampling alone adds


class ScoreShape(BaseModel):
    """Value, both ends of its interval, floor, sample size."""

    value: float
    low: float
    high: float
    floor: float
    n: int
