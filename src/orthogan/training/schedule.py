"""Schedules over a known budget; progress runs from 0 to 1."""

from __future__ import annotations

import math

from orthogan.training.config import AdamWConfig


def cosine(start: float, end: float, progress: float) -> float:
    """Half a cosine from `start` to `end`.

    >>> cosine(1.0, 0.0, 0.0), cosine(1.0, 0.0, 1.0)
    (1.0, 0.0)
    """
    share = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return end + (start - end) * share


MEMORY_SHARE = 0.1  # of the steps so far


def learning_rate(config: AdamWConfig, progress: float) -> float:
    """The step size: a straight rise, then half a cosine down.

    Source: Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2 (warm-up); Loshchilov
    and Hutter 2017, "SGDR", equation 5.

    >>> config = AdamWConfig(learning_rate=1.0, warm_up=0.5)
    >>> [round(learning_rate(config, share), 3) for share in (0.25, 0.5, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < config.warm_up:
        return config.learning_rate * progress / config.warm_up
    end = config.final_share * config.learning_rate
    return cosine(config.learning_rate, end, (progress - config.warm_up) / (1 - config.warm_up))


def average_step(steps: int, memory: float) -> float:
    """How far the average moves to the weights in step number `steps` (from 1).

    An exponential average over the last tenth of all steps, at most over `memory` steps: it must
    forget the start quickly, and late in a long run it need not reach back further.

    >>> [average_step(step, 500.0) for step in (1, 40, 10_000)]
    [1.0, 0.25, 0.002]
    """
    return 1 / min(max(1.0, MEMORY_SHARE * steps), memory)
