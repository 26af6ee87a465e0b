"""The gaps of a table in tiles that stay in the cache, each product computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.guarded import GuardedScores

TILE = 1024  # tokens on each side: 4 MB of gaps


@dataclass(frozen=True)
class Tile:
    """Gaps of some tokens to some others.

    Attributes:
        rows: The tokens whose gaps they are.
        columns: The other tokens.
        gaps: Lower bounds of the gaps, less `own` of the row; infinite for a token itself.
        scratch: Room for as many numbers.
    """

    rows: slice
    columns: slice
    gaps: Tensor
    scratch: Tensor


@dataclass(frozen=True)
class Tiles:
    """A walk over all pairs of tokens.

    Attributes:
        scores: The scores of the tokens.
        blocks: The tokens in runs of at most `TILE`.
        room: Numbers of three tiles: products, gaps and scratch.
    """

    scores: GuardedScores
    blocks: list[slice]
    room: Tensor

    @classmethod
    def of(cls, scores: GuardedScores) -> Tiles:
        """The tiles of a table."""
        num_tokens = len(scores.tokens)
        starts = range(0, num_tokens, TILE)
        blocks = [slice(begin, min(begin + TILE, num_tokens)) for begin in starts]
        return cls(scores, blocks, torch.empty(3, min(TILE, num_tokens) ** 2))

    def work(self) -> list[int]:
        """How many products each block takes."""
        count = len(self.blocks)
        return [count - number if self.scores.symmetric else count for number in range(count)]

    def walk(self, number: int) -> Iterator[Tile]:
        """Tiles of a block, which no later block repeats; each is lost with the next.

        Where the reader is symmetric, the product with a later block is that block's too, and the
        tiles of earlier blocks have been there already: after this walk the block has met all.
        """
        scores, rows = self.scores, self.blocks[number]
        for columns in self.blocks[number:] if scores.symmetric else self.blocks:
            shape = rows.stop - rows.start, columns.stop - columns.start
            products, gaps, scratch = self.room[:, : shape[0] * shape[1]].view(3, *shape)
            torch.mm(scores.tokens[rows], scores.directions[columns].T, out=products)
            if rows == columns:
                products.fill_diagonal_(-torch.inf)
            torch.sub(scores.others[columns], products, out=gaps)
            yield Tile(rows, columns, gaps, scratch)
            if scores.symmetric and rows != columns:
                torch.sub(scores.others[rows, None], products, out=gaps)
                yield Tile(columns, rows, gaps.T, scratch.T)
