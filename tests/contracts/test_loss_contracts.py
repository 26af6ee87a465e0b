"""Every registered loss keeps its contract."""

from __future__ import annotations

from orthogan.testing.losses import LossContract


class TestLosses(LossContract):
    """All that are registered."""
