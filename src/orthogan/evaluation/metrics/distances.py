"""Distances between the features of two sets."""

from __future__ import annotations

from orthogan.evaluation import frechet, kernel
from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.statistics import POSITIVE, UNBIASED


@METRICS.register("fd", better="lower", names_extractor=True, within=POSITIVE)
def fd(pair: Comparison) -> Estimate:
    """Frechet distance; small is good."""
    candidate, real = pair.candidate, pair.reference.moments
    value = frechet.frechet_distance(candidate.moments, real)
    interval = frechet.frechet_interval(candidate.features, real, value, pair.seed)
    return Estimate(value, interval, len(candidate))


@METRICS.register("kd", better="lower", names_extractor=True, within=UNBIASED)
def kd(pair: Comparison) -> Estimate:
    """Kernel distance, unbiased; small is good, chance may take it below 0."""
    n = min(len(pair.candidate), len(pair.reference))
    value, interval = kernel.kernel_distance(
        pair.candidate.features, pair.reference.features, pair.seed
    )
    return Estimate(value, interval, n)
