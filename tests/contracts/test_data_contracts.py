"""Every registered data format and data set keeps its contract."""

from __future__ import annotations

from data_samples import SAMPLES

from orthogan.testing.sources import DataSetContract, FormatContract


class TestFormats(FormatContract):
    """All that are registered."""

    samples = SAMPLES


class TestDataSets(DataSetContract):
    """All that are registered."""
