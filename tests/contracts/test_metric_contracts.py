"""Every registered metric keeps its contract."""

from __future__ import annotations

from pathlib import Path

from orthogan.evaluation.metrics import METRICS
from orthogan.testing.metrics import MetricContract


class TestMetrics(MetricContract):
    """All that are registered."""


def test_the_contract_is_on_for_all_that_come_with_the_package() -> None:
    home = Path(__file__).parents[2] / "src" / "orthogan" / "evaluation" / "metrics"
    filed = sum(path.read_text().count("@METRICS.register(") for path in home.glob("*.py"))
    assert len(list(METRICS)) >= filed
