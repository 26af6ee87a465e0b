"""Every registered extractor keeps its contract."""

from __future__ import annotations

from orthogan.testing.extractors import ExtractorContract


class TestExtractors(ExtractorContract):
    """All that are registered."""
