"""Tokens that no reader can tell apart, and the table without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


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
    words = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()
    _, first, kind = np.unique(words, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Duplicates(torch.from_numpy(first[order]), torch.from_numpy(rank[kind.ravel()]))
