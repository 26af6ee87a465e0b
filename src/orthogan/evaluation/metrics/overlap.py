"""How far two sets lie in each other's neighbourhoods."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.metrics import METRICS, Estimate, fraction_of
from orthogan.statistics import POSITIVE, SHARE, mean_interval


@METRICS.register("precision", better="higher", within=SHARE)
def precision(pair: Comparison) -> Estimate:
    """Fraction of images that look like the data."""
    return _beside_left_out(pair, pair.overlap.precise)


@METRICS.register("recall", better="higher", within=SHARE)
def recall(pair: Comparison) -> Estimate:
    """Fraction of the data that the generator could have made."""
    return _beside_left_out(pair, pair.overlap.recalled)


@METRICS.register("density", better="higher", within=POSITIVE)
def density(pair: Comparison) -> Estimate:
    """How deep inside the data images lie; about 1 for real ones."""
    values = pair.overlap.density
    return Estimate(float(values.double().mean()), mean_interval(values), len(values))


@METRICS.register("coverage", better="higher", within=SHARE)
def coverage(pair: Comparison) -> Estimate:
    """Fraction of the data with a generated image close by."""
    return fraction_of(pair.overlap.covered)


def _beside_left_out(pair: Comparison, members: Tensor) -> Estimate:
    """The fraction; where no images are held out, its floor leaves out one at a time."""
    found = fraction_of(members)
    return replace(found, floor=pair.left_out) if pair.is_split else found
