"""The distance of the histograms of pixel values."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.statistics import Interval, Range


def histogram(pixels: Tensor) -> Tensor:
    """The fraction of values in each of 16 bins, channel by channel."""
    bins = torch.stack([channel.flatten().bincount(minlength=256) for channel in pixels.unbind(1)])
    counts = bins.double().reshape(len(bins), 16, 16).sum(2)
    return counts / counts.sum(1, keepdim=True)


@METRICS.register("histogram", better="lower", within=Range(0.0, 1.0))
def histogram_distance(pair: Comparison) -> Estimate:
    """Total variation between the histograms of pixel values; 0 where they agree."""
    fake, real = pair.candidate.pixels, pair.reference.pixels
    parts = [fake[start::10] for start in range(10)]  # ten parts show how far chance goes
    value, *draws = (
        float((histogram(each) - histogram(real)).abs().sum(1).mean() / 2)
        for each in [fake, *parts]
    )
    return Estimate(value, Interval(min(value, *draws), max(value, *draws)), len(fake))
