"""The smallest gap of every token at its own place, found tile by tile."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.accumulator import Tally
from orthogan.geometry.identity._counting.pairs import BLOCK_PAIRS, Contest
from orthogan.geometry.identity._counting.tiles import Tile

Pairs = tuple[Tensor, Tensor, Tensor]


@dataclass
class Nearest:
    """Pairs among which the smallest gap of each token is.

    Attributes:
        bounds: Upper bound of the smallest gap of each token so far, less its `own`.
    """

    bounds: Tensor
    _pairs: dict[int, list[Pairs]] = field(default_factory=dict)

    @classmethod
    def among(cls, num_tokens: int) -> Nearest:
        """None yet."""
        return cls(torch.full((num_tokens,), torch.inf))

    def look(self, contest: Contest, tile: Tile) -> None:
        """Takes what may be the smallest gaps of the row tokens of a tile."""
        scores, rows, columns, gaps = contest.scores, tile.rows, tile.columns, tile.gaps
        lowest = gaps.amin(1)
        guard = 2 * (scores.own_guard[rows] + scores.other_guard[columns].max())
        bounds = self.bounds[rows]  # a view
        torch.minimum(bounds, lowest + guard, out=bounds)
        some = (lowest <= bounds).nonzero().flatten()
        if not len(some):
            return
        row, column = (gaps[some] <= bounds[some, None]).nonzero(as_tuple=True)
        gap = gaps[some[row], column]
        first, second = rows.start + some[row], columns.start + column
        # The guard of the pair itself may be far below that of the widest token of the tile.
        self.bounds.scatter_reduce_(0, first, gap + scores.pair_guards(first, second), "amin")
        close = gap <= self.bounds[first]
        self._pairs.setdefault(rows.start, []).append((first[close], second[close], gap[close]))

    def settle(self, contest: Contest, tally: Tally, rows: slice) -> None:
        """Enters the smallest gaps of a block of tokens that have met all others, in float64."""
        first, second, gap = (
            torch.cat(part) for part in zip(*self._pairs.pop(rows.start), strict=True)
        )
        close = gap <= self.bounds[first]
        first, second = first[close], second[close]
        for i, j in zip(first.split(BLOCK_PAIRS), second.split(BLOCK_PAIRS), strict=True):
            tally.lead.scatter_reduce_(0, i, contest.reader.gaps(i, j), "amin")
