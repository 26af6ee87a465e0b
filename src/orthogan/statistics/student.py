r"""Student's t and the normal distribution, without a statistics package.

Whole degrees of freedom allow a sum in closed form.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
# From here on the expansion is right to 1e-13, and the sum has many terms.
MANY = 400


def student_tail(t: float, freedom: int) -> float:
    r"""$P(|T| \ge t)$ for Student's distribution.

    Args:
        t: At least 0; infinity is allowed.
        freedom: Whole degrees of freedom, at least 1.

    Source: Abramowitz and Stegun 1964, equations 26.7.3 and 26.7.4.

    >>> round(student_tail(1.0, 1), 12)
    0.5
    """
    # With whole degrees of freedom the density integrates to a polynomial in cos and sin of this
    # angle: exact to rounding, where continued fractions of the beta function have to converge.
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    if freedom % 2:
        series = _series(cosine, freedom // 2, 2, 3) * cosine if freedom > 1 else 0.0
        inside = 2 / math.pi * (angle + sine * series)
    else:
        inside = sine * _series(cosine, freedom // 2, 1, 2)
    return min(1.0, max(0.0, 1 - inside))


@lru_cache(maxsize=256)
def student_quantile(confidence: float, freedom: int) -> float:
    r"""The $t$ that $|T|$ stays below with probability `confidence`.

    >>> round(student_quantile(0.95, 4), 6)
    2.776445
    """
    if freedom > MANY:
        return _expansion(NormalDist().inv_cdf((1 + confidence) / 2), freedom)
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


def _expansion(z: float, v: int) -> float:
    """A point of Student's t from that of the normal (Abramowitz and Stegun 1964, 26.7.5)."""
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )
