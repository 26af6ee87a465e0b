"""Pairs of tokens that may flip somewhere, found tile by tile.

Token j can take the identity of token i somewhere only if their gap is at most the largest pull of
any position on j less the smallest on i, which for most tokens leaves few j or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.accumulator import Tally
from orthogan.geometry.identity._counting.pairs import Contest
from orthogan.geometry.identity._counting.tiles import Tile

CROWD = 128  # candidates of one token from which on they are not looked at one by one

Pairs = tuple[Tensor, Tensor, Tensor]


@dataclass
class Candidates:
    """Pairs that wait until their first token has met all others.

    Attributes:
        counts: Candidates of each token; those of more than `CROWD` are not kept.
    """

    counts: Tensor
    _pairs: dict[int, list[Pairs]] = field(default_factory=dict)

    @classmethod
    def among(cls, num_tokens: int) -> Candidates:
        """None yet."""
        return cls(torch.zeros(num_tokens, dtype=torch.int64))

    def look(self, contest: Contest, tally: Tally, tile: Tile) -> None:
        """Takes the candidates of a tile.

        Args:
            contest: Reader, codes and scores.
            tally: What is known of the first flip.
            tile: The tokens that may flip, what they may become, their gaps.
        """
        scores, rows, columns = contest.scores, tile.rows, tile.columns
        peak, trough = scores.peak[columns], scores.trough[rows]
        if tally.tolerance > 1:  # pairs that meet later only, at more than the codes' own length
            peak = tally.tolerance * peak.clamp_min(0)
            trough = tally.tolerance * trough.clamp_max(0)
        limit = (-trough - scores.own[rows]).masked_fill(self.counts[rows] > CROWD, -torch.inf)
        beyond = torch.sub(tile.gaps, peak, out=tile.scratch)
        some = (beyond.amin(1) <= limit).nonzero().flatten()
        if not len(some):
            return
        picked = beyond[some] <= limit[some, None]
        self.counts[rows.start + some] += picked.sum(1)
        picked[self.counts[rows.start + some] > CROWD] = False
        row, column = picked.nonzero(as_tuple=True)
        first, second = rows.start + some[row], columns.start + column
        gap = tile.gaps[some[row], column]
        kept = first, second, gap + scores.own[first]
        self._pairs.setdefault(rows.start, []).append(kept)

    def take(self, rows: slice) -> Pairs:
        """The pairs of a block of tokens without the crowded ones, sorted by the first token."""
        none = torch.zeros(0, dtype=torch.int64)
        parts = [(none, none, torch.zeros(0)), *self._pairs.pop(rows.start, [])]
        first, second, gap = (torch.cat(part) for part in zip(*parts, strict=True))
        few = (self.counts[first] <= CROWD).nonzero().flatten()
        few = few[first[few].argsort(stable=True)]
        return first[few], second[few], gap[few]

    def crowded(self, rows: slice) -> Tensor:
        """The tokens of a block that have too many candidates."""
        crowded: Tensor = rows.start + (self.counts[rows] > CROWD).nonzero().flatten()
        return crowded
