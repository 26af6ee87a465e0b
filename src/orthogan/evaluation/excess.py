"""How many pictures are nearer to something than honest ones account for."""

from __future__ import annotations

import math

from torch import Tensor

from orthogan.statistics import Interval
from orthogan.statistics.student import Z

# How far into the honest pictures a threshold may reach. Where real ones repeat themselves, the
# closest of them say nothing, and copies show among those that follow.
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)


def excess(found: Tensor, honest: Tensor) -> tuple[float, Interval]:
    r"""The fraction of pictures that are too near, with its 95 % interval.

    With $F$ and $H$ the distributions of the distances found and of honest ones, it is the largest
    $(F(t) - H(t)) / (1 - H(t))$ over thresholds $t$ that at most a fifth of the honest lie below:
    of copies alone $F = 1$, and of a mixture of $s$ copies with honest pictures $F = s + (1 - s)
    H$. The interval is over the choice of both sets. 0 is honest; chance may take it to some
    hundredths, and never below 0.

    Args:
        found: Distances of the pictures that are examined.
        honest: Distances of pictures that are what they should be.
    """
    found, honest = found.double(), honest.double()
    best, interval = -math.inf, Interval(0.0, 1.0)
    for level in LEVELS:
        # At most, not below: the threshold is 0 where the real data repeats itself.
        threshold = honest.quantile(level)
        usual = float((honest <= threshold).double().mean())
        close = float((found <= threshold).double().mean())
        if usual >= 1:
            continue  # all honest pictures are as close: nothing can be told
        share = (close - usual) / (1 - usual)
        if share > best:
            variance = _variance(close, len(found)) + (1 - share) ** 2 * _variance(
                usual, len(honest)
            )
            half = Z * math.sqrt(variance) / (1 - usual)
            best, interval = share, Interval(share - half, share + half)
    share = max(0.0, best)
    return share, Interval(min(interval.low, share), max(interval.high, share))


def _variance(share: float, n: int) -> float:
    # Of (n share + 2) / (n + 4): none or all of a few is not certainty (Agresti and Coull 1998).
    softened = (n * share + 2) / (n + 4)
    return softened * (1 - softened) / n
