"""The sign-flip test of paired differences, and the interval that it leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from orthogan.statistics.ranges import Interval
from orthogan.streams import stream

MAX_EXACT = 20  # 2^19 sums are 4 MB; more pairs are sampled
NUM_SAMPLED = 100_000
CHUNK = 4096  # sampled patterns drawn together
# Sums that differ by rounding alone are one and the same.
ROUNDING = 1e-12


@dataclass(frozen=True)
class SignFlips:
    r"""Every way of turning the signs of differences, or many of them.

    Turning all signs leaves the size of the sum, so the first is held.

    Attributes:
        differences: One per pair, at least two.
    """

    differences: tuple[float, ...]

    @property
    def is_exact(self) -> bool:
        """Whether every pattern is looked at."""
        return len(self.differences) <= MAX_EXACT

    @cached_property
    def share(self) -> float:
        """The share of patterns that make the sum as large: the two-sided p value."""
        return float(self._as_large.mean())

    @property
    def least(self) -> float:
        """The smallest share that there can be with so many pairs.

        Five pairs have 16 patterns: no data of five seeds come below 0.05, however clear.
        """
        return 2.0 ** (1 - len(self.differences)) if self.is_exact else 1 / (NUM_SAMPLED + 1)

    def interval(self, level: float) -> Interval:
        r"""Every difference that the test keeps at a level: no end where it keeps all.

        Less $\delta$ each, the sum is as large under a pattern as without it just where $\delta$
        has passed the mean of those that are turned or of those that are not. So each pattern has
        one place to each side of the mean from which on it counts, and the ends are those of
        rank $\alpha 2^{n-1}$ (Hartigan 1969, "Using subsample values as typical values").
        """
        sums, num_turned = self._patterns
        total, n = math.fsum(self.differences), len(self.differences)
        with np.errstate(divide="ignore", invalid="ignore"):
            turned = (total - sums) / (2 * num_turned)
            kept = (total + sums) / (2 * (n - num_turned))
        whole = (num_turned == 0) | (num_turned == n)
        low = np.where(whole, -np.inf, np.minimum(turned, kept))
        high = np.where(whole, np.inf, np.maximum(turned, kept))
        # So that the interval ends before 0 just where the share says so, rounding included.
        if total >= 0:
            low = np.where(self._as_large, np.minimum(low, 0.0), low)
        else:
            high = np.where(self._as_large, np.maximum(high, 0.0), high)
        rank = max(0, math.ceil(level * len(sums)) - 1)
        first, last = np.partition(low, rank)[rank], -np.partition(-high, rank)[rank]
        return Interval(float(first), float(last))

    @cached_property
    def _as_large(self) -> np.ndarray:
        sums, _ = self._patterns
        scale = math.fsum(abs(each) for each in self.differences)
        observed = abs(math.fsum(self.differences)) - ROUNDING * scale
        as_large: np.ndarray = np.abs(sums) >= observed
        return as_large

    @cached_property
    def _patterns(self) -> tuple[np.ndarray, np.ndarray]:
        """The sum and the number of turned signs of each pattern, the observed one first."""
        if not self.is_exact:
            return self._sampled()
        sums, num_turned = np.array(self.differences[:1]), np.zeros(1)
        for each in self.differences[1:]:
            sums = np.concatenate([sums + each, sums - each])
            num_turned = np.concatenate([num_turned, num_turned + 1])
        return sums, num_turned

    def _sampled(self) -> tuple[np.ndarray, np.ndarray]:
        """With the observed pattern counted in, so that the share is never zero."""
        source, values = stream(0, "sign-flip"), np.array(self.differences)
        sums, num_turned = [np.array([math.fsum(values)])], [np.zeros(1)]
        for start in range(0, NUM_SAMPLED, CHUNK):
            shape = (min(CHUNK, NUM_SAMPLED - start), len(values))
            signs = source.choice([1.0, -1.0], shape)
            sums.append(signs @ values)
            num_turned.append((signs < 0).sum(1))
        return np.concatenate(sums), np.concatenate(num_turned)
