"""How many of the extractor's classes appear, and how evenly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from orthogan.evaluation import modes
from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.description import NUM_STACKED_CLASSES
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.rng import permutation
from orthogan.statistics import POSITIVE, UNBIASED, Range


@METRICS.register("class-kl", better="lower", needs_classes=True, on_stacks=False, within=UNBIASED)
def class_kl(pair: Comparison) -> Estimate:
    """KL of class shares from the data's, corrected for the sample size, in nats."""
    target = modes.data_shares(pair.reference_counts)
    statistic = partial(modes.corrected_divergence, target=target)
    interval = modes.histogram_interval(statistic, pair.counts, pair.seed)
    return Estimate(statistic(pair.counts), interval, len(pair.candidate))


@METRICS.register(
    "modes",
    better="higher",
    needs_classes=True,
    only_stacks=True,
    within=Range(0.0, float(NUM_STACKED_CLASSES)),
)
def num_modes(pair: Comparison) -> Estimate:
    """Classes reached, of 1000; large is good."""
    return _stacked(pair, modes.count_modes)


@METRICS.register("mode-kl", better="lower", needs_classes=True, only_stacks=True, within=POSITIVE)
def mode_kl(pair: Comparison) -> Estimate:
    """KL of class shares from uniform as published, in nats; sampling alone adds 0.0193."""
    target = modes.uniform_shares(pair.num_classes)
    return _stacked(pair, partial(modes.divergence, target=target))


@METRICS.register(
    "mode-kl-corrected", better="lower", needs_classes=True, only_stacks=True, within=UNBIASED
)
def mode_kl_corrected(pair: Comparison) -> Estimate:
    """The same KL less what sampling alone adds."""
    target = modes.uniform_shares(pair.num_classes)
    return _stacked(pair, partial(modes.corrected_divergence, target=target))


def _stacked(pair: Comparison, statistic: Callable[[Tensor], float]) -> Estimate:
    """On the protocol's sample size; the floor is as many real images: the KL depends on it."""
    n = min(len(pair.candidate), modes.PROTOCOL_SAMPLES)
    counts = modes.class_counts(pair.candidate.classes[:n], pair.num_classes)
    chosen = permutation(len(pair.reference), pair.seed, "stacked-floor", 0)[:n]
    real = modes.class_counts(pair.reference.classes[chosen], pair.num_classes)
    interval = modes.histogram_interval(statistic, counts, pair.seed)
    return Estimate(statistic(counts), interval, n, floor=statistic(real))
