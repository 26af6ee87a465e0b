r"""The course of a run's distance: the best reading, whether it still falls, what more would bring.

The logarithm of the distance d is fitted by a straight line in the logarithm of the images seen n
over the readings since half of the images, $\log d \approx a - b \log n$: a factor of f in images
changes the distance by $f^{-b}$. Readings follow an average of the weights and so are not
independent; the standard error of b is widened by the correlation of neighbouring residuals, as
for an autoregression of first order, $\sqrt{(1 + \rho) / (1 - \rho)}$.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from orthogan.statistics.student import CONFIDENCE, student_quantile

# So few leave three degrees of freedom, and an interval that is wide enough to say so.
LEAST_READINGS = 5
# Before a run is ended; the interval is then at most a quarter wider than with any number.
LEAST_TO_END = 8
WINDOW = 0.5  # readings from this share of the images on
MOST_CORRELATED = 0.9  # of neighbouring residuals, as far as so few can tell
# So many readings in a row have to agree before a run is ended: each one is a chance to be wrong.
AGREEING = 3
# What "no longer better" means: that half as many images again would bring less than this.
MORE_IMAGES, LEAST_GAIN = 1.5, 0.05


@dataclass(frozen=True, kw_only=True)
class Read:
    """One reading: where, and the distance to images that training did not show, if there are."""

    images: int
    distance: float


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How the distance falls with the images seen.

    Attributes:
        power: b above; 0: it does not fall.
        margin: Half of the 95 % interval of b.
        readings: How many it rests on.
    """

    power: float
    margin: float
    readings: int

    def gain(self, more: float) -> tuple[float, float, float]:
        """By what share of itself the distance would fall with `more` times the images.

        The expected share, and the ends of its 95 % interval; negative: it would grow.

        >>> low, mean, high = Trend(power=1.0, margin=0.0, readings=9).gain(2.0)
        >>> round(mean, 3)
        0.5
        """
        powers = (self.power - self.margin, self.power, self.power + self.margin)
        low, mean, high = (1 - more**-power for power in powers)
        return low, mean, high

    @property
    def is_flat(self) -> bool:
        """Whether it is settled that more images would bring next to nothing."""
        low, _, high = self.gain(MORE_IMAGES)
        return low < LEAST_GAIN and high < LEAST_GAIN

    @property
    def is_falling(self) -> bool:
        """Whether it is settled that the distance falls."""
        return self.power > self.margin


class Course:
    """The readings of a run in order.

    Args:
        readings: Those so far, as pairs of images seen and distance, one behind the other.
    """

    def __init__(self, readings: Sequence[float] = ()) -> None:
        pairs = zip(readings[::2], readings[1::2], strict=False)
        self.readings = [Read(images=int(images), distance=value) for images, value in pairs]

    def add(self, images: int, distance: float) -> None:
        """Takes one more reading; one at the same image count is replaced."""
        self.readings = [each for each in self.readings if each.images < images]
        self.readings.append(Read(images=images, distance=distance))

    @property
    def best(self) -> Read | None:
        """The reading of the lowest distance; None before the first."""
        return min(self.readings, key=lambda each: each.distance, default=None)

    def trend(self) -> Trend | None:
        """How the distance falls by the later readings; None while they are too few."""
        if not self.readings:
            return None
        since = WINDOW * self.readings[-1].images
        used = [each for each in self.readings if each.images >= since and each.distance > 0]
        if len(used) < LEAST_READINGS:
            return None
        return fitted(
            [math.log(each.images) for each in used], [math.log(each.distance) for each in used]
        )

    @property
    def is_settled(self) -> bool:
        """Whether the latest readings agree that more images would bring next to nothing."""
        trends = [self._before(skipped).trend() for skipped in range(AGREEING)]
        return all(
            trend is not None and trend.readings >= LEAST_TO_END and trend.is_flat
            for trend in trends
        )

    def _before(self, skipped: int) -> Course:
        """The same course without its latest readings."""
        course = Course()
        course.readings = self.readings[: len(self.readings) - skipped]
        return course

    def state(self) -> dict[str, Any]:
        """The arguments that make the same course again."""
        return {
            "readings": [x for each in self.readings for x in (float(each.images), each.distance)]
        }


def fitted(xs: Sequence[float], ys: Sequence[float]) -> Trend:
    """The line through points in logarithms, as this module describes it."""
    count = len(xs)
    middle, level = sum(xs) / count, sum(ys) / count
    across = sum((x - middle) ** 2 for x in xs)
    slope = sum((x - middle) * (y - level) for x, y in zip(xs, ys, strict=True)) / across
    rest = [y - level - slope * (x - middle) for x, y in zip(xs, ys, strict=True)]
    squares = sum(each**2 for each in rest)
    neighbours = sum(one * other for one, other in pairwise(rest))
    # Residuals of a fitted line lean towards opposite signs; a plain estimate would come out low.
    leaning = 1 / (count - 2)
    correlated = neighbours / squares + leaning if squares > 0 else 0.0
    correlated = min(max(correlated, 0.0), MOST_CORRELATED)
    widened = math.sqrt((1 + correlated) / (1 - correlated))
    error = math.sqrt(squares / (count - 2) / across) * widened
    margin = student_quantile(CONFIDENCE, count - 2) * error
    return Trend(power=-slope, margin=margin, readings=count)
