r"""Means, paired differences and tests over few seeds: pure functions of a few numbers.

Student's t distribution is summed in closed form, which whole degrees of freedom allow, so that
no statistics package is needed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orthogan import rng
from orthogan.errors import ConfigError

CONFIDENCE = 0.95
MAX_EXACT = 20  # 2^20 sign patterns take a tenth of a second; more pairs are sampled
NUM_SAMPLED = 100_000
CHUNK = 4096  # sign patterns looked at together: 20 of them are a small array
# Sums that differ by rounding alone are one and the same.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its 95 % interval.

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
        mean: Mean difference with its interval.
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


def mean_over_seeds(values: Sequence[float]) -> Mean:
    r"""The mean with the interval $\bar x \pm t_{n-1} s / \sqrt n$.

    Args:
        values: One a seed, at least one.

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
    half = student_quantile(CONFIDENCE, n - 1) * _deviation(checked) / math.sqrt(n)
    return Mean(mean, mean - half, mean + half, n)


def paired_test(differences: Sequence[float]) -> PairedTest:
    r"""Whether paired differences are larger than chance alone makes them, by two tests.

    The t test takes $|\bar d| / (s / \sqrt n)$ to Student's distribution. The sign-flip test asks
    for the share of the $2^n$ sign patterns that make the sum as large: it needs no normality,
    only that a difference is as likely to be positive as negative where there is none.

    Args:
        differences: One a pair, at least two.

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
    spread = _deviation(checked)
    mean = mean_over_seeds(checked)
    if spread > 0:
        t: float | None = student_tail(abs(mean.value) / spread * math.sqrt(n), n - 1)
    else:
        t = 1.0 if mean.value == 0 else None
    exact = n <= MAX_EXACT
    share = _exact_share(checked) if exact else _sampled_share(checked)
    return PairedTest(mean, t, share, 2.0 ** (1 - n) if exact else 1 / (NUM_SAMPLED + 1), exact)


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
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def student_tail(t: float, freedom: int) -> float:
    r"""$P(|T| \ge t)$ for Student's distribution.

    Args:
        t: At least 0; infinity is allowed.
        freedom: Whole degrees of freedom, at least 1.

    Source: Abramowitz and Stegun 1964, equations 26.7.3 and 26.7.4.

    >>> round(student_tail(1.0, 1), 12)
    0.5
    """
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    if freedom % 2:
        series = _series(cosine, freedom // 2, 2, 3) * cosine if freedom > 1 else 0.0
        inside = 2 / math.pi * (angle + sine * series)
    else:
        inside = sine * _series(cosine, freedom // 2, 1, 2)
    return min(1.0, max(0.0, 1 - inside))


def student_quantile(confidence: float, freedom: int) -> float:
    r"""The $t$ that $|T|$ stays below with probability `confidence`.

    >>> round(student_quantile(0.95, 4), 6)
    2.776445
    """
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > 1 - confidence:
        high *= 2
    for _ in range(200):  # halves the bracket to neighbouring numbers well before
        middle = (low + high) / 2
        if student_tail(middle, freedom) > 1 - confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _series(cosine: float, terms: int, top: int, bottom: int) -> float:
    """The first terms of 1 + top/bottom c^2 + top(top+2)/(bottom(bottom+2)) c^4 + ..."""
    total, term = 0.0, 1.0
    for index in range(terms):
        total += term
        term *= (top + 2 * index) / (bottom + 2 * index) * cosine**2
    return total


def _exact_share(differences: list[float]) -> float:
    # One sign is held: turning all of them leaves the size of the sum.
    patterns = itertools.product((1.0, -1.0), repeat=len(differences) - 1)
    count = 0
    for chunk in _chunks(patterns):
        signs = np.concatenate([np.ones((len(chunk), 1)), np.array(chunk)], axis=1)
        count += _as_large(signs, differences)
    return count / 2.0 ** (len(differences) - 1)


def _sampled_share(differences: list[float]) -> float:
    """With the observed pattern counted in, so that the share is never zero."""
    source = rng.stream(0, "sign-flip")
    count = 1
    for start in range(0, NUM_SAMPLED, CHUNK):
        shape = (min(CHUNK, NUM_SAMPLED - start), len(differences))
        count += _as_large(source.choice([1.0, -1.0], shape), differences)
    return count / (NUM_SAMPLED + 1)


def _as_large(signs: np.ndarray, differences: list[float]) -> int:
    sums = np.abs(signs @ np.array(differences))
    scale = math.fsum(abs(each) for each in differences)
    return int((sums >= abs(math.fsum(differences)) - ROUNDING * scale).sum())


def _chunks(patterns: Iterator[tuple[float, ...]]) -> Iterator[list[tuple[float, ...]]]:
    while chunk := list(itertools.islice(patterns, CHUNK)):
        yield chunk


def _deviation(values: list[float]) -> float:
    """The standard deviation of a sample; exactly 0 for equal values."""
    if min(values) == max(values):
        return 0.0
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))


def _finite(name: str, values: Sequence[float]) -> list[float]:
    checked = [float(value) for value in values]
    if not checked:
        raise ConfigError(f"At least one number is needed in {name}, got none.")
    wrong = [value for value in checked if not math.isfinite(value)]
    if wrong:
        raise ConfigError(f"The {name} must be finite, got {wrong[0]}.")
    return checked
