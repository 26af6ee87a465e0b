"""A measured number beside what chance gives, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

# The range of 39 null draws is an exact 95 % interval: a value that is one more such draw is the
# lowest or the highest of the 40 with probability 2 / 40.
NUM_DRAWS = 39
NUM_BLOCKS = 20  # of the jackknife: its Student factor is then within 7 % of the normal one
# What permutations keep (with one column, everything) comes out equal up to this, relatively.
ROUNDING = 1e-9
NORMAL_Z = 1.959963984540054  # 97.5 % point of the standard normal


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


def jackknife_interval(
    statistic: Callable[[Tensor], float],
    rows: Tensor,
    smallest: int = 2,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float] | None:
    r"""A 95 % interval for a smooth statistic of independent rows; None with too few of them.

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
    return _around(statistic(rows), left_out, bounds)


def _around(
    value: float, left_out: list[float], bounds: tuple[float, float]
) -> tuple[float, float]:
    count = len(left_out)
    mean = math.fsum(left_out) / count
    spread = math.fsum((one - mean) ** 2 for one in left_out)
    half = student_t(count - 1) * math.sqrt((count - 1) / count * spread)
    return max(value - half, bounds[0]), min(value + half, bounds[1])


def student_t(freedom: int) -> float:
    """97.5 % point of Student's t; low by 1 % at 2 degrees of freedom, 0.2 % at most from 3 on.

    Source: Abramowitz and Stegun 1964, equation 26.7.5.

    >>> round(student_t(19), 3)
    2.093
    """
    z, v = NORMAL_Z, freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )
