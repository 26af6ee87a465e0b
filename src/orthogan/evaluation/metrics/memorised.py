"""How many images are near-copies of training images."""

from __future__ import annotations

from orthogan.evaluation import memorise
from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.statistics import SHARE


@METRICS.register("memorised", better="lower", notices_noise=False, within=SHARE)
def memorised(pair: Comparison) -> Estimate:
    """Fraction of images closer to a training image than 99 % of unseen real images are."""
    same = pair.unseen_reference is pair.reference
    result = memorise.memorisation(
        pair.candidate.pixels,
        pair.reference.pixels,
        pair.unseen.pixels,
        None if same else pair.unseen_reference.pixels,
    )
    return Estimate(result.share, result.interval, result.n, floor=memorise.CLOSE_SHARE)
