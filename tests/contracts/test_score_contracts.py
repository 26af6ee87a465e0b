"""Every registered attention score keeps its contract."""

from __future__ import annotations

from orthogan.testing.scores import ScoreContract


class TestScores(ScoreContract):
    """All that are registered."""
