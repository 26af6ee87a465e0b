"""Tokens that no decision rule can tell apart, and the table without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HASH_ROWS = 256  # 256 x 768 numbers are 1.6 MB


@dataclass(frozen=True)
class Duplicates:
    """Which rows of a table are the same.

    Attributes:
        first: Index of the first row of every kind, ascending.
        kind: For every row, the place of its kind in `first`.
    """

    first: Tensor
    kind: Tensor

    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The rows of every kind that has more than one."""
        counts = torch.bincount(self.kind, minlength=len(self.first))
        if int(counts.max()) == 1:
            return ()
        order = self.kind.argsort(stable=True)
        members = order.split(counts.tolist())
        return tuple(tuple(rows.tolist()) for rows in members if len(rows) > 1)

    def members(self, kind: int) -> list[int]:
        """All rows of one kind."""
        rows: list[int] = (self.kind == kind).nonzero().flatten().tolist()
        return rows


def duplicates(rows: Tensor) -> Duplicates:
    """The rows of a matrix that are equal, number by number (0 and -0 are).

    >>> duplicates(torch.tensor([[1.0], [2.0], [1.0]])).groups()
    ((0, 2),)
    """
    plain = np.ascontiguousarray((rows + 0.0).numpy())
    labels = _hashes(plain)
    _, first, kind = np.unique(labels, return_index=True, return_inverse=True)
    kind = kind.ravel()
    others = np.flatnonzero(first[kind] != np.arange(len(plain)))
    if any((plain[row] != plain[first[kind[row]]]).any() for row in others):
        # Different rows of one hash: tell them apart by all their numbers.
        words = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()
        _, first, kind = np.unique(words, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Duplicates(torch.from_numpy(first[order]), torch.from_numpy(rank[kind.ravel()]))


def _hashes(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """One number a row, the same for equal rows."""
    factors = np.random.default_rng(0).integers(2**64, size=rows.shape[1], dtype=np.uint64)
    found = np.empty(len(rows), dtype=np.uint64)
    for begin in range(0, len(rows), HASH_ROWS):
        part = np.ascontiguousarray(rows[begin : begin + HASH_ROWS], dtype=np.float64)
        words = part.view(np.uint64)
        # The low bits of widened float32 numbers are zero; products would pass them on.
        words = words ^ (words >> np.uint64(32))
        found[begin : begin + HASH_ROWS] = (words * (factors | np.uint64(1))).sum(1)
    return found
