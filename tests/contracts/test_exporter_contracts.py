"""Every registered exporter keeps its contract."""

from __future__ import annotations

import pytest

from orthogan.testing.exporters import ExporterContract

pytest.importorskip("onnxruntime")


class TestExporters(ExporterContract):
    """All that are registered."""
