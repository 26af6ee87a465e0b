"""Pairs of tokens that may flip somewhere, found tile by tile.

Token j can take the identity of token i somewhere only if their score margin is at most the largest
projection of any position on j less the smallest on i, which for most tokens leaves few j or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.search import Search
from orthogan.geometry.identity._counting.tiles import Tile

MAX_CANDIDATES = 128  # candidates of one token from which on they are not looked at one by one

Pairs = tuple[Tensor, Tensor, Tensor]


@dataclass
class Candidates:
    """Pairs that wait until their first token has met all others.

    Attributes:
        counts: Candidates of each token; those of more than `MAX_CANDIDATES` are not kept.
    """

    counts: Tensor
    _pairs: dict[int, list[Pairs]] = field(default_factory=dict)

    @classmethod
    def among(cls, num_tokens: int) -> Candidates:
        """None yet."""
        return cls(torch.zeros(num_tokens, dtype=torch.int64))

    def update(self, search: Search, tile: Tile) -> None:
        """Takes the candidates of a tile.

        Args:
            search: What is known of the first flip.
            tile: The tokens that may flip, what they may become, their score margins.
        """
        scores, rows, columns = search.scores, tile.rows, tile.columns
        peak, trough = scores.peak[columns], scores.trough[rows]
        if search.tolerance > 1:  # pairs that meet later only, at more than the codes' own length
            peak = search.tolerance * peak.clamp_min(0)
            trough = search.tolerance * trough.clamp_max(0)
        limit = (-trough - scores.own[rows]).masked_fill(
            self.counts[rows] > MAX_CANDIDATES, -torch.inf
        )
        beyond = torch.sub(tile.margins, peak, out=tile.scratch)
        some = (beyond.amin(1) <= limit).nonzero().flatten()
        if not len(some):
            return
        picked = beyond[some] <= limit[some, None]
        self.counts[rows.start + some] += picked.sum(1)
        picked[self.counts[rows.start + some] > MAX_CANDIDATES] = False
        row, column = picked.nonzero(as_tuple=True)
        first, second = rows.start + some[row], columns.start + column
        margin = tile.margins[some[row], column]
        kept = first, second, margin + scores.own[first]
        self._pairs.setdefault(rows.start, []).append(kept)

    def take(self, rows: slice) -> Pairs:
        """The pairs of a block of tokens without those of the many, sorted by the first token."""
        none = torch.zeros(0, dtype=torch.int64)
        parts = [(none, none, torch.zeros(0)), *self._pairs.pop(rows.start, [])]
        first, second, margin = (torch.cat(part) for part in zip(*parts, strict=True))
        few = (self.counts[first] <= MAX_CANDIDATES).nonzero().flatten()
        few = few[first[few].argsort(stable=True)]
        return first[few], second[few], margin[few]

    def with_many(self, rows: slice) -> Tensor:
        """The tokens of a block that have too many candidates."""
        with_many: Tensor = rows.start + (self.counts[rows] > MAX_CANDIDATES).nonzero().flatten()
        return with_many
