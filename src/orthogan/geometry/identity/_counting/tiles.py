"""The score margins of a table in tiles that stay in the cache, each product computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.guarded import GuardedScores

TILE = 1024  # tokens on each side: 4 MB of score margins


@dataclass(frozen=True)
class Tile:
    """Gaps of some tokens to some others.

    Attributes:
        rows: The tokens whose score margins they are.
        columns: The other tokens.
        margins: Lower bounds of the score margins, less `own` of the row; infinite for a token
            itself.
        scratch: Room for as many numbers.
    """

    rows: slice
    columns: slice
    margins: Tensor
    scratch: Tensor


@dataclass(frozen=True)
class Tiles:
    """A walk over all pairs of tokens.

    Attributes:
        scores: The scores of the tokens.
        blocks: The tokens in runs of at most `TILE`.
        room: Numbers of three tiles: products, score margins and scratch.
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

        Where the decision rule is symmetric, the product with a later block is that block's
        too, and the tiles of earlier blocks are done: after this walk the block has met all.
        """
        scores, rows = self.scores, self.blocks[number]
        for columns in self.blocks[number:] if scores.symmetric else self.blocks:
            shape = rows.stop - rows.start, columns.stop - columns.start
            products, margins, scratch = self.room[:, : shape[0] * shape[1]].view(3, *shape)
            torch.mm(scores.tokens[rows], scores.directions[columns].T, out=products)
            if rows == columns:
                products.fill_diagonal_(-torch.inf)
            torch.sub(scores.others[columns], products, out=margins)
            yield Tile(rows, columns, margins, scratch)
            if scores.symmetric and rows != columns:
                torch.sub(scores.others[rows, None], products, out=margins)
                yield Tile(columns, rows, margins.T, scratch.T)
