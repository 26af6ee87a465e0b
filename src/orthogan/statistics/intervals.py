"""95 % intervals: for shares, for means, for correlations and from resampled values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from orthogan.statistics.ranges import Interval
from orthogan.statistics.student import CONFIDENCE, Z, student_quantile

PERCENTILES = (2.5, 97.5)
NUM_BLOCKS = 20  # of the jackknife: its Student factor is then within 7 % of the normal one


def share_interval(share: float, n: int) -> Interval:
    """For a share of n independent items; right near 0 and 1 too.

    Source: Wilson 1927.

    >>> low, high = share_interval(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    # The ends are the two proportions from which the measured one is Z standard errors away, each
    # with its own standard error. That of the measured one is 0 at 0 and 1, and would claim that
    # nothing can be otherwise after one look.
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def mean_interval(values: Tensor) -> Interval:
    r"""For the mean of independent values, at least two: $\bar x \pm t_{n-1} s / \sqrt n$."""
    mean = float(values.double().mean())
    spread = float(values.double().std()) / math.sqrt(len(values))
    half = student_quantile(CONFIDENCE, len(values) - 1) * spread
    return Interval(mean - half, mean + half)


def centred_interval(
    value: float,
    resampled: Sequence[float],
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> Interval:
    """The spread of resampled values, moved so that their mean is the measured value."""
    # Distances grow when rows repeat, so resampled values lie around another centre than the
    # measured one: their spread is right, their place is not.
    shift = value - float(np.mean(resampled))
    low, high = (float(end) + shift for end in np.percentile(resampled, PERCENTILES))
    return Interval(max(min(low, value), lowest), min(max(high, value), highest))


def correlation_interval(value: float, n: int) -> Interval:
    r"""For a rank correlation of n pairs, by Fisher's transformation.

    The standard error is $\sqrt{(1 + \rho^2 / 2) / (n - 3)}$.

    Source: Bonett and Wright 2000.

    >>> low, high = correlation_interval(0.5, 50)
    >>> round(low, 3), round(high, 3)
    (0.241, 0.692)
    """
    if n <= 3:
        return Interval(-1.0, 1.0)
    if abs(value) >= 1:
        return Interval(value, value)
    # A correlation near 1 has little room above it: its distribution is skewed, that of its
    # inverse hyperbolic tangent is nearly normal, with a spread that hardly depends on it.
    half = Z * math.sqrt((1 + value**2 / 2) / (n - 3))
    middle = math.atanh(value)
    return Interval(math.tanh(middle - half), math.tanh(middle + half))


def jackknife_interval(
    statistic: Callable[[Tensor], float],
    rows: Tensor,
    smallest: int = 2,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval | None:
    r"""For a smooth statistic of independent rows; None with too few of them.

    $\theta \pm t_{g-1} \sqrt{\frac{g-1}{g} \sum_b (\theta_{-b} - \bar\theta)^2}$

    Each of at most 20 blocks is left out once. Nothing is drawn, so the interval is exactly
    reproducible; resampling with replacement would repeat rows, and repeated rows look correlated.

    Args:
        statistic: What is measured.
        rows: First axis: the independent units.
        smallest: Fewest rows the statistic is defined on.
        bounds: The interval is cut to these.

    Source: Tukey 1958; Efron and Tibshirani 1993, section 11.5 (delete-a-group).

    >>> low, high = jackknife_interval(lambda rows: float(rows.mean()), torch.arange(20.0))
    >>> round(low, 4), round(high, 4)
    (6.7312, 12.2688)
    """
    blocks = torch.arange(len(rows)).tensor_split(min(NUM_BLOCKS, len(rows)))
    if len(blocks) < 3 or len(rows) - len(blocks[0]) < smallest:
        return None
    left_out = []
    for block in blocks:
        kept = torch.ones(len(rows), dtype=torch.bool)
        kept[block] = False
        left_out.append(statistic(rows[kept]))
    # Of a mean, leaving out block b moves it by (mean - x_b) / (g - 1), and its variance is the
    # sum of (x_b - mean)^2 over g (g - 1): hence the factor (g - 1) / g on the moves squared.
    value, count = statistic(rows), len(left_out)
    mean = math.fsum(left_out) / count
    spread = math.fsum((one - mean) ** 2 for one in left_out)
    half = student_quantile(CONFIDENCE, count - 1) * math.sqrt((count - 1) / count * spread)
    return Interval(max(value - half, bounds[0]), min(value + half, bounds[1]))
