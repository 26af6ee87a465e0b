"""How many images are near-copies of training images, or of one another."""

from __future__ import annotations

from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.excess import excess
from orthogan.evaluation.memorise import MAX_IMAGES, memorisation, nearness
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.rng import permutation
from orthogan.statistics import SHARE


@METRICS.register("memorised", better="lower", notices_noise=False, within=SHARE)
def memorised(pair: Comparison) -> Estimate:
    """Fraction of images that are training images again, moved, mirrored or brightened ones too."""
    training = pair.reference.pixels if pair.training is None else pair.training
    # Where the unseen images are a part of the training set, each training image is compared with
    # all others instead: that is as honest, and takes none away from the set.
    unseen = None if pair.is_split else pair.unseen.pixels
    result = memorisation(pair.candidate.pixels, training, unseen)
    return Estimate(result.share, result.interval, result.n, floor=0.0)


@METRICS.register("repeated", better="lower", notices_noise=False, within=SHARE)
def repeated(pair: Comparison) -> Estimate:
    """Fraction of images that are made more than once: near-copies of one another."""
    n = min(len(pair.candidate), len(pair.reference), MAX_IMAGES)
    chosen = permutation(len(pair.reference), pair.seed, "repeated-reference", 0)[:n]
    ours, real = (
        nearness(pixels) for pixels in (pair.candidate.pixels[:n], pair.reference.pixels[chosen])
    )
    share, interval = excess(ours, real)
    return Estimate(share, interval, n, floor=0.0)
