"""Intervals and tests, each written once: of shares, of means, over seeds and by resampling."""

from orthogan.statistics.intervals import (
    centred_interval,
    correlation_interval,
    jackknife_interval,
    mean_interval,
    share_interval,
)
from orthogan.statistics.ranges import (
    POSITIVE,
    REAL,
    SHARE,
    UNBIASED,
    Interval,
    Range,
    ScoreShape,
)

__all__ = [
    "POSITIVE",
    "REAL",
    "SHARE",
    "UNBIASED",
    "Interval",
    "Range",
    "ScoreShape",
    "centred_interval",
    "correlation_interval",
    "jackknife_interval",
    "mean_interval",
    "share_interval",
]
