"""The registered metrics: a new one is one function and one decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from torch import Tensor

from orthogan.evaluation import frechet, kernel, memorise, modes
from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.description import NUM_STACKED_CLASSES
from orthogan.registry import Registry
from orthogan.rng import permutation
from orthogan.statistics import (
    POSITIVE,
    REAL,
    SHARE,
    UNBIASED,
    Interval,
    Range,
    mean_interval,
    share_interval,
)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `floor` only where it is not the value of held-out images."""

    value: float
    interval: Interval
    n: int
    floor: float | None = None


Compute: TypeAlias = Callable[[Comparison], Estimate]


@dataclass(frozen=True)
class Metric:
    """How one score is computed.

    Attributes:
        compute: The metric itself.
        names_extractor: The number depends on the extractor's scale, so its name is shown.
        on_digits: Measured by default on ordinary images.
        on_stacks: Measured by default on stacked digits.
        only_stacks: Has no meaning elsewhere.
        within: Where its values can lie, so that intervals stay there.
    """

    compute: Compute
    names_extractor: bool = False
    on_digits: bool = True
    on_stacks: bool = True
    only_stacks: bool = False
    within: Range = REAL


METRICS: Registry[Metric] = Registry("metric")


def metric(
    name: str,
    *,
    names_extractor: bool = False,
    on_stacks: bool = True,
    only_stacks: bool = False,
    within: Range = REAL,
) -> Callable[[Compute], Compute]:
    """A decorator that files a function from a comparison to an estimate under `name`."""

    def enrol(compute: Compute) -> Compute:
        part = Metric(compute, names_extractor, not only_stacks, on_stacks, only_stacks, within)
        METRICS.register(name)(part)
        return compute

    return enrol


@metric("fd", names_extractor=True, within=POSITIVE)
def fd(pair: Comparison) -> Estimate:
    """Frechet distance; small is good."""
    candidate, real = pair.candidate, pair.reference.moments
    value = frechet.frechet_distance(candidate.moments, real)
    interval = frechet.frechet_interval(candidate.features, real, value, pair.seed)
    return Estimate(value, interval, len(candidate))


@metric("kd", names_extractor=True, within=UNBIASED)
def kd(pair: Comparison) -> Estimate:
    """Kernel distance, unbiased; small is good, chance may take it below 0."""
    n = min(len(pair.candidate), len(pair.reference))
    value, interval = kernel.kernel_distance(
        pair.candidate.features, pair.reference.features, pair.seed
    )
    return Estimate(value, interval, n)


@metric("precision", within=SHARE)
def precision(pair: Comparison) -> Estimate:
    """Share of images that look like the data."""
    return _share(pair.overlap.precise)


@metric("recall", within=SHARE)
def recall(pair: Comparison) -> Estimate:
    """Share of the data that the generator could have made."""
    return _share(pair.overlap.recalled)


@metric("density", within=POSITIVE)
def density(pair: Comparison) -> Estimate:
    """How deep inside the data images lie; about 1 for real ones."""
    values = pair.overlap.density
    return Estimate(float(values.double().mean()), mean_interval(values), len(values))


@metric("coverage", within=SHARE)
def coverage(pair: Comparison) -> Estimate:
    """Share of the data with a generated image close by."""
    return _share(pair.overlap.covered)


@metric("class-kl", on_stacks=False, within=UNBIASED)
def class_kl(pair: Comparison) -> Estimate:
    """KL of class shares from the data's, corrected for the sample size, in nats."""
    target = modes.data_shares(pair.reference_counts)
    statistic = partial(modes.corrected_divergence, target=target)
    interval = modes.histogram_interval(statistic, pair.counts, pair.seed)
    return Estimate(statistic(pair.counts), interval, len(pair.candidate))


@metric("modes", only_stacks=True, within=Range(0.0, float(NUM_STACKED_CLASSES)))
def num_modes(pair: Comparison) -> Estimate:
    """Classes reached, of 1000; large is good."""
    return _stacked(pair, modes.count_modes)


@metric("mode-kl", only_stacks=True, within=POSITIVE)
def mode_kl(pair: Comparison) -> Estimate:
    """KL of class shares from uniform as published, in nats; sampling alone adds 0.0193."""
    target = modes.uniform_shares(pair.num_classes)
    return _stacked(pair, partial(modes.divergence, target=target))


@metric("mode-kl-corrected", only_stacks=True, within=UNBIASED)
def mode_kl_corrected(pair: Comparison) -> Estimate:
    """The same KL less what sampling alone adds."""
    target = modes.uniform_shares(pair.num_classes)
    return _stacked(pair, partial(modes.corrected_divergence, target=target))


@metric("memorised", within=SHARE)
def memorised(pair: Comparison) -> Estimate:
    """Share of images closer to a training image than 99 % of unseen real images are."""
    same = pair.unseen_reference is pair.reference
    result = memorise.memorisation(
        pair.candidate.pixels,
        pair.reference.pixels,
        pair.unseen.pixels,
        None if same else pair.unseen_reference.pixels,
    )
    return Estimate(result.share, result.interval, result.n, floor=memorise.CLOSE_SHARE)


def _share(members: Tensor) -> Estimate:
    share = float(members.double().mean())
    return Estimate(share, share_interval(share, len(members)), len(members))


def _stacked(pair: Comparison, statistic: Callable[[Tensor], float]) -> Estimate:
    """On the protocol's sample size; the floor is as many real images: the KL depends on it."""
    n = min(len(pair.candidate), modes.PROTOCOL_SAMPLES)
    counts = modes.class_counts(pair.candidate.classes[:n], pair.num_classes)
    chosen = permutation(len(pair.reference), pair.seed, "stacked-floor", 0)[:n]
    real = modes.class_counts(pair.reference.classes[chosen], pair.num_classes)
    interval = modes.histogram_interval(statistic, counts, pair.seed)
    return Estimate(statistic(counts), interval, n, floor=statistic(real))
