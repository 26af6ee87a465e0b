"""Every registered penalty keeps its contract."""

from __future__ import annotations

from orthogan.testing.penalties import PenaltyContract


class TestPenalties(PenaltyContract):
    """All that are registered."""
