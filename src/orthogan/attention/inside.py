"""Positions that act inside attention, on queries and keys."""

from __future__ import annotations

from torch import Tensor, nn


class PositionsInside(nn.Module):
    """Takes queries `B N T K` and keys `B N S K` to those that know where they are."""

    def forward(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys of equal size, to be scored as they are."""
        raise NotImplementedError
