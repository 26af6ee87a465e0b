r"""Superposed tokens: the two displaced tokens that lie nearest to each other.

Token i at position s and token j at position t are the same point iff $e_i - e_j = p_t - p_s$. The
joint code of token and position is free of collisions iff no such pair exists.

All pairs of places are covered without visiting them: with $h_s = \langle e_j - e_i, p_s \rangle$,
$\|e_i + p_s - e_j - p_t\|^2 = \|e_j - e_i\|^2 + \|p_s - p_t\|^2 - 2 (h_s - h_t)$, so a pair of
tokens far apart beside the spread of h is ruled out for all positions at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.exact import integers
from orthogan.geometry.inputs import binary_scale

BLOCK_ROWS = 64
BLOCK_VALUES = 2**20
# Squared distances of rows scaled to entries below 1 are rounded by less than this share of the
# largest squared length.
ROUNDING = 1e-14


# Tokens i and j and positions s and t that belong to an index of flattened values.
Place = Callable[[int], tuple[int, int, int, int]]


@dataclass(frozen=True)
class Coincidence:
    """Two displaced tokens that lie nearest to each other.

    Attributes:
        first: Token and position of the one.
        second: Token and position of the other; equal to `first` if there is only one place.
        distance: Their distance, embedding units; infinite if there is only one place.
        collides: Whether they are the same point, decided without rounding.
    """

    first: tuple[int, int]
    second: tuple[int, int]
    distance: float
    collides: bool


def closest_superposition(tokens: Tensor, codes: Tensor) -> Coincidence:
    """The nearest two of all places a table and its codes make.

    Args:
        tokens: Checked float64 table.
        codes: Checked float64 codes of the same width.
    """
    scale = binary_scale(tokens, codes)
    search = _Search(tokens * scale, codes * scale)
    search.positions()
    for begin in range(0, len(tokens), BLOCK_ROWS):
        search.tokens(begin)
        if search.collides:
            break
    return Coincidence(search.first, search.second, search.distance / scale, search.collides)


class _Search:
    """The nearest pair so far, and what rules others out."""

    def __init__(self, tokens: Tensor, codes: Tensor) -> None:
        self.table, self.codes = tokens, codes
        self.first, self.second = (0, 0), (0, 0)
        self.distance, self.collides = math.inf, False
        self.centred = tokens - tokens.mean(0)
        self.norms = self.centred.square().sum(1)
        self.projections = self.centred @ codes.T
        self.spread = self.projections.amax(1) - self.projections.amin(1)
        apart = codes - codes.mean(0)
        lengths = apart.square().sum(1)
        self.squared = (lengths[:, None] + lengths - 2 * apart @ apart.T).clamp_min(0)
        size = float(self.norms.max()) + float(lengths.max())
        size += math.sqrt(float(self.norms.max()) * float(codes.square().sum(1).max()))
        self.doubt = ROUNDING * max(tokens.shape[1], 8) * size

    def limit(self) -> float:
        """Computed squared distances beyond it cannot belong to a nearer pair."""
        return self.distance**2 + self.doubt

    def positions(self) -> None:
        """One token at two positions."""
        squared = self.squared.clone().fill_diagonal_(math.inf)
        self._visit(squared.flatten(), lambda k: (0, 0, k // len(squared), k % len(squared)))

    def tokens(self, begin: int) -> None:
        """A block of tokens against all later ones."""
        rows = slice(begin, begin + BLOCK_ROWS)
        squared = self.norms[rows, None] + self.norms - 2 * self.centred[rows] @ self.centred.T
        later = torch.arange(len(self.table)) > torch.arange(len(self.table))[rows, None]
        squared = squared.masked_fill(~later, math.inf)
        self._same_position(squared, begin)
        least = squared - 2 * (self.spread[rows, None] + self.spread)
        row, other = (least <= self.limit()).nonzero(as_tuple=True)
        step = max(1, BLOCK_VALUES // len(self.codes) ** 2)
        near = squared[row, other]
        for part in torch.arange(len(row)).split(step):
            self._pairs(row[part] + begin, other[part], near[part])

    def _same_position(self, squared: Tensor, begin: int) -> None:
        width = squared.shape[1]
        self._visit(squared.flatten(), lambda k: (begin + k // width, k % width, 0, 0))

    def _pairs(self, i: Tensor, j: Tensor, near: Tensor) -> None:
        projection = self.projections[j] - self.projections[i]
        open_ = near - 2 * (projection.amax(1) - projection.amin(1)) <= self.limit()
        i, j, near, projection = i[open_], j[open_], near[open_], projection[open_]
        if not len(i):
            return
        values = (
            near[:, None, None]
            + self.squared
            - 2 * (projection[:, :, None] - projection[:, None, :])
        )
        num = len(self.codes)

        def place(k: int) -> tuple[int, int, int, int]:
            pair = k // num**2
            return int(i[pair]), int(j[pair]), k // num % num, k % num

        self._visit(values.flatten(), place)

    def _visit(self, values: Tensor, place: Place) -> None:
        """Looks at the smallest value and at all that may be 0."""
        if not len(values):
            return
        least = values.min(0)
        if math.isinf(least.values) or float(least.values) > self.limit():
            return
        hits = [int(least.indices)]
        if float(least.values) <= self.doubt:
            hits += (values <= self.doubt).nonzero().flatten().tolist()
        for hit in hits:
            self._look(*place(hit))
            if self.collides:
                return

    def _look(self, i: int, j: int, s: int, t: int) -> None:
        apart = (self.table[i] - self.table[j]) + (self.codes[s] - self.codes[t])
        distance = float(torch.linalg.vector_norm(apart))
        same = distance**2 <= self.doubt and self._is_same(i, j, s, t)
        if same or distance < self.distance:
            self.first, self.second = (i, s), (j, t)
            self.distance, self.collides = 0.0 if same else distance, same

    def _is_same(self, i: int, j: int, s: int, t: int) -> bool:
        vectors = (self.table[i], self.codes[s], self.table[j], self.codes[t])
        (left, step, right, other), _ = integers(*vectors)
        return bool((left + step == right + other).all())
