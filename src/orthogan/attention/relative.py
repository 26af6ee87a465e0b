"""Positions that act inside attention, on queries and keys."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from orthogan.shapes import Key, PositionedKey, PositionedQuery, Query


class RelativePositions(nn.Module):
    """Takes queries `B N T K` and keys `B N S K` to those that know where they are."""

    # Whether each key becomes another vector, rather than getting a code that all images share.
    moves_keys: ClassVar[bool] = False

    def forward(self, query: Query, key: Key) -> tuple[PositionedQuery, PositionedKey]:
        """Queries and keys of equal size, to be scored as they are."""
        raise NotImplementedError
