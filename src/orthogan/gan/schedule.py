"""Schedules of a GAN over a known budget; progress runs from 0 to 1."""

from __future__ import annotations

import math

from orthogan.gan.config import AverageConfig, OptimizerConfig, PenaltyConfig, TrainingConfig
from orthogan.training.schedule import cosine


def learning_rate(config: OptimizerConfig, progress: float, images_seen: int) -> float:
    """The step size at a point of the budget: held for a share of it, then decaying.

    After `root_after` images it falls with the square root of their number as well: however long
    the budget, the first steps are large, and the many that follow do not undo each other. The
    last step has the same size either way, since averaging needs weights that still move.
    """
    left = 1 - config.hold_share
    decayed = (progress - config.hold_share) / left if left > 0 else 0.0
    final = config.final_share * config.learning_rate
    falling = config.learning_rate * root_share(config.root_after, images_seen)
    return cosine(max(falling, final), final, decayed)


def root_share(root_after: int | None, images_seen: int) -> float:
    """What the square root leaves of the step size.

    >>> root_share(100, 50), root_share(100, 400), root_share(None, 400)
    (1.0, 0.5, 1.0)
    """
    if root_after is None or images_seen <= root_after:
        return 1.0
    return math.sqrt(root_after / images_seen)


def beta2(config: OptimizerConfig, progress: float) -> float:
    """The decay of the squared gradients; reaches its end value halfway."""
    return cosine(config.beta2_start, config.beta2_end, 2 * progress)


def gamma(config: PenaltyConfig, progress: float) -> float:
    """The weight of the gradient penalty."""
    return cosine(config.gamma_start, config.gamma_end, progress)


def batch_size(config: TrainingConfig, progress: float) -> int:
    """Images a step: doubles at equal shares of the budget, from the first size to the last."""
    start, end = config.batch_size, config.final_batch_size or config.batch_size
    # Doubling, and not growing by one: compiled steps and kernels are made anew for each size.
    stages = math.floor(math.log2(end / start)) + 1
    stage = min(int(stages * progress), stages - 1)
    return start << stage


def average_decay(config: AverageConfig, images_seen: int, batch_size: int) -> float:
    """What the average keeps of itself in one step.

    The half-life grows with the images seen, so that early averages forget the start quickly
    (Karras et al. 2020, StyleGAN2-ADA, "EMA ramp-up").
    """
    # The cap keeps long runs from averaging over weights of long ago.
    half_life = min(config.half_life_share * images_seen, config.half_life_max)
    return float(0.5 ** (batch_size / half_life)) if half_life > 0 else 0.0
