"""The rows of a batch that one of several processes works on.

Process `r` of `n` takes rows `r, r + n, r + 2n, ...` of the whole batch, so that the first rows,
which alone are penalised, are spread evenly over all processes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from orthogan.rng import NormalSource


def num_penalised(num_pairs: int, fraction: float) -> int:
    """How many of the pairs of a batch are penalised: the first ones.

    >>> num_penalised(64, 0.5), num_penalised(3, 0.1)
    (32, 1)
    """
    return math.ceil(fraction * num_pairs)


def num_own(count: int, rank: int, num_rows: int) -> int:
    """How many of the first `num_rows` rows are those of one process.

    >>> [num_own(3, rank, 7) for rank in range(3)]
    [3, 2, 2]
    """
    return max(0, -(-(num_rows - rank) // count))


class RowDraws:
    """Draws for all pairs of a batch, and gives one process those of its own.

    Args:
        source: Draws.
        rank: Of the process.
        count: Of processes.
        num_pairs: Of the whole batch. What is drawn for is one row per real image of the pairs and
            then one per fake.
    """

    def __init__(self, source: NormalSource, rank: int, count: int, num_pairs: int) -> None:
        self._source, self._num_pairs = source, num_pairs
        own = np.arange(rank, num_pairs, count)
        self._rows = np.concatenate([own, num_pairs + own])

    def standard_normal(self, size: Any, dtype: Any) -> np.ndarray:
        """The own rows of an array that is drawn for all."""
        whole = self._source.standard_normal((2 * self._num_pairs, *size[1:]), dtype=dtype)
        rows: np.ndarray = whole[self._rows]
        return rows
