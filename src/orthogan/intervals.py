"""95 % intervals: for shares, for means and from resampled values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel
from torch import Tensor

Z = 1.959964  # 97.5 % point of the standard normal
PERCENTILES = (2.5, 97.5)


class ScoreShape(BaseModel):
    """A score with its interval as a file holds it: value, both ends, floor, sample size."""

    value: float
    low: float
    high: float
    floor: float
    n: int


class Interval(NamedTuple):
    """Both ends of a 95 % confidence interval."""

    low: float
    high: float


def share_interval(share: float, n: int) -> Interval:
    """For a share of n independent items; right near 0 and 1 too.

    Source: Wilson 1927.

    >>> low, high = share_interval(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def mean_interval(values: Tensor, factor: float = Z) -> Interval:
    """For the mean of independent values; `factor` standard errors to each side."""
    mean = float(values.double().mean())
    half = factor * float(values.double().std()) / math.sqrt(len(values))
    return Interval(mean - half, mean + half)


def centred_interval(
    value: float,
    resampled: Sequence[float],
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> Interval:
    """The spread of resampled values, moved so that their mean is the measured value."""
    shift = value - float(np.mean(resampled))
    low, high = (float(end) + shift for end in np.percentile(resampled, PERCENTILES))
    return Interval(max(min(low, value), lowest), min(max(high, value), highest))
