"""Every registered positional encoding keeps its contract."""

from __future__ import annotations

from orthogan.testing.positions import PositionContract


class TestPositions(PositionContract):
    """All that are registered."""
