"""Means, paired differences and tests over few seeds: pure functions of a few numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev  # exact, where squares of small numbers vanish

from orthogan.errors import ConfigError
from orthogan.statistics.ranges import REAL, Range
from orthogan.statistics.sign_flips import SignFlips
from orthogan.statistics.student import CONFIDENCE, student_quantile, student_tail

# Differences of equal scores differ by rounding, and that is no spread.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its interval.

    Attributes:
        value: The mean.
        low: Lower end of the interval; None with fewer than two seeds.
        high: Upper end.
        n: Seeds it is taken over.
    """

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedTest:
    """The mean of paired differences and how likely chance alone makes it as large.

    Attributes:
        mean: Mean difference with its 95 % interval (Student's t).
        t: Two-sided p value of the paired t test; None where the differences have no spread.
        sign_flip: Two-sided p value of the sign-flip test.
        least: The smallest value that `sign_flip` can take with so many pairs.
        is_exact: Whether every sign pattern was looked at.
    """

    mean: Mean
    t: float | None
    sign_flip: float
    least: float
    is_exact: bool


def mean_over_seeds(values: Sequence[float], within: Range = REAL) -> Mean:
    r"""The mean with its 95 % interval, $\bar x \pm t_{n-1} s / \sqrt n$ on the scale of the range.

    Args:
        values: One per seed, at least one.
        within: Where a value can lie.

    Raises:
        ConfigError: there is no value, or one is not finite.

    Source: Student 1908. Right for values that are normally distributed over seeds.

    >>> mean = mean_over_seeds([1.0, 2.0, 3.0])
    >>> mean.value, round(mean.low, 3), round(mean.high, 3)
    (2.0, -0.484, 4.484)
    """
    checked = _finite("values", values)
    n, mean = len(checked), math.fsum(checked) / len(checked)
    if n == 1:
        return Mean(mean, None, None, 1)
    # Student's factor, not the normal one: the spread is itself estimated from the n seeds. With
    # five, 1.96 in place of 2.78 would leave out the true mean in 12 % of cases instead of 5 %.
    half = student_quantile(CONFIDENCE, n - 1) * stdev(checked) / math.sqrt(n)
    return Mean(mean, *within.around(mean, half), n)


def paired_test(differences: Sequence[float]) -> PairedTest:
    r"""Whether paired differences are larger than chance alone makes them, by two tests.

    The t test takes $|\bar d| / (s / \sqrt n)$ to Student's distribution. The sign-flip test asks
    for the share of the $2^n$ sign patterns that make the sum as large: it needs no normality,
    only that a difference is as likely to be positive as negative where there is none.

    Args:
        differences: One per pair, at least two.

    Raises:
        ConfigError: fewer than two differences, or one is not finite.

    Source: Student 1908; Fisher 1935, "The design of experiments", section 21.

    >>> result = paired_test([1.0, 2.0, 3.0])
    >>> round(result.t, 4), result.sign_flip
    (0.0742, 0.25)
    """
    checked = _finite("differences", differences)
    n = len(checked)
    if n < 2:
        raise ConfigError(f"A paired test needs at least 2 differences, got {n}.")
    mean = mean_over_seeds(checked)
    if max(checked) - min(checked) > ROUNDING * max(map(abs, checked)):
        t: float | None = student_tail(abs(mean.value) / stdev(checked) * math.sqrt(n), n - 1)
    else:
        t = 1.0 if mean.value == 0 else None
    flips = SignFlips(tuple(checked))
    return PairedTest(mean, t, flips.share, flips.least, flips.is_exact)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    r"""The p values corrected for looking at several: $\max_{j \le i} \min(1, (m - j + 1) p_j)$.

    Args:
        p_values: By name, each in [0, 1].

    Returns:
        Corrected values under the same names, in the same order.

    Raises:
        ConfigError: a value is not in [0, 1].

    Source: Holm 1979.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    for name, value in p_values.items():
        if not 0 <= value <= 1:
            raise ConfigError(f"A p value lies in [0, 1], got {value} for '{name}'.")
    # Looking at m variants, one p value below 0.05 comes up by chance with probability up to
    # 0.05 m. Bonferroni's m p mends that, and so does this, which holds the smallest p against m,
    # the next against m - 1, and so on: never weaker, and right however the p values depend on one
    # another, as they do here, where all variants are compared with the same first one.
    corrected, largest = {}, 0.0
    for rank, name in enumerate(_ranked(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def holm_levels(p_values: Mapping[str, float], level: float) -> dict[str, float]:
    r"""The level at which Holm's steps decide about each: intervals at it say what `holm` says.

    The p value of rank i is held against $\alpha / (m - i + 1)$. The first one that is not below
    ends the steps, and all after it are larger than its level, at which they are decided too.

    Args:
        p_values: By name.
        level: Of all together.

    Source: Serlin 1993, "Confidence intervals and the scientific method".

    >>> holm_levels({"a": 0.01, "b": 0.03, "c": 0.03}, 0.06)
    {'a': 0.02, 'b': 0.03, 'c': 0.03}
    """
    levels: dict[str, float] = {}
    m, last = len(p_values), None
    for rank, name in enumerate(_ranked(p_values)):
        levels[name] = level / (m - rank) if last is None else last
        if last is None and (m - rank) * p_values[name] >= level:
            last = levels[name]
    return {name: levels[name] for name in p_values}


def t_interval(mean: Mean, level: float) -> tuple[float, float]:
    """The interval of a mean of differences at another level than 5 %."""
    if mean.low is None or mean.high is None:
        raise ConfigError("One difference has no interval.")
    factor = student_quantile(1 - level, mean.n - 1) / student_quantile(CONFIDENCE, mean.n - 1)
    half = (mean.high - mean.low) / 2 * factor
    return mean.value - half, mean.value + half


def _ranked(p_values: Mapping[str, float]) -> list[str]:
    return sorted(p_values, key=lambda each: p_values[each])


def _finite(name: str, values: Sequence[float]) -> list[float]:
    checked = [float(value) for value in values]
    if not checked:
        raise ConfigError(f"At least one number is needed in {name}, got none.")
    wrong = [value for value in checked if not math.isfinite(value)]
    if wrong:
        raise ConfigError(f"The {name} must be finite, got {wrong[0]}.")
    return checked
