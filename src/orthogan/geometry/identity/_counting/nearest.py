"""The smallest score margin of every token at its own place, found tile by tile."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.pairs import BLOCK_PAIRS
from orthogan.geometry.identity._counting.search import Search
from orthogan.geometry.identity._counting.tiles import Tile

Pairs = tuple[Tensor, Tensor, Tensor]


@dataclass
class Nearest:
    """Pairs among which the smallest score margin of each token is.

    Attributes:
        bounds: Upper bound of the smallest score margin of each token so far, less its `own`.
    """

    bounds: Tensor
    _pairs: dict[int, list[Pairs]] = field(default_factory=dict)

    @classmethod
    def among(cls, num_tokens: int) -> Nearest:
        """None yet."""
        return cls(torch.full((num_tokens,), torch.inf))

    def update(self, search: Search, tile: Tile) -> None:
        """Takes what may be the smallest score margins of the row tokens of a tile."""
        scores, rows, columns, margins = search.scores, tile.rows, tile.columns, tile.margins
        lowest = margins.amin(1)
        guard = 2 * (scores.own_guard[rows] + scores.other_guard[columns].max())
        bounds = self.bounds[rows]  # a view
        torch.minimum(bounds, lowest + guard, out=bounds)
        some = (lowest <= bounds).nonzero().flatten()
        if not len(some):
            return
        row, column = (margins[some] <= bounds[some, None]).nonzero(as_tuple=True)
        margin = margins[some[row], column]
        first, second = rows.start + some[row], columns.start + column
        # The guard of the pair itself may be far below that of the widest token of the tile.
        self.bounds.scatter_reduce_(0, first, margin + scores.pair_guards(first, second), "amin")
        close = margin <= self.bounds[first]
        self._pairs.setdefault(rows.start, []).append((first[close], second[close], margin[close]))

    def settle(self, search: Search, rows: slice) -> None:
        """Enters the smallest score margins, in float64, of tokens that have met all others."""
        first, second, margin = (
            torch.cat(part) for part in zip(*self._pairs.pop(rows.start), strict=True)
        )
        close = margin <= self.bounds[first]
        first, second = first[close], second[close]
        for i, j in zip(first.split(BLOCK_PAIRS), second.split(BLOCK_PAIRS), strict=True):
            search.smallest.scatter_reduce_(0, i, search.rule.score_margins(i, j), "amin")
