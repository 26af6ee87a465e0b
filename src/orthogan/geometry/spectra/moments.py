"""Sums over tokens that come in batches, from which mean, covariance and shrinkage follow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.inputs import check_width, matrix


@dataclass(frozen=True)
class Moments:
    r"""Sums in float64 over rows $y = x - o$ taken from an origin $o$.

    Attributes:
        count: Number of rows n.
        origin: The first row seen; sums of differences from it lose little to cancellation, and
            nothing at all where every row is the same.
        total: $\sum y$.
        scatter: $\sum y y^\top$.
        cubic: $\sum |y|^2 y$.
        quartic: $\sum |y|^4$.
    """

    count: int
    origin: Tensor
    total: Tensor
    scatter: Tensor
    cubic: Tensor
    quartic: Tensor

    @property
    def width(self) -> int:
        """The width D of the rows."""
        return len(self.origin)

    @property
    def mean(self) -> Tensor:
        """The mean of the rows."""
        return self.origin + self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """The covariance of the rows, divided by n: the maximum-likelihood estimate."""
        drift = self.total / self.count
        return self.scatter / self.count - torch.outer(drift, drift)

    @property
    def ledoit_wolf(self) -> float:
        r"""The share of shrinkage towards $T = (\mathrm{tr}\,S / D) I$ that errs least.

        $\min(1, \; \tfrac1n (\tfrac1n \sum |x - \mu|^4 - |S|^2) / |S - T|^2)$, in the mean square.

        Source: Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional
            covariance matrices", section 3; scikit-learn's `ledoit_wolf` is the same.
        """
        covariance = self.covariance
        energy = covariance.square().sum()
        spread = float(energy - covariance.trace().square() / self.width)
        noise = float(self._centred_quartic() / self.count - energy) / self.count
        if spread <= 0 or noise <= 0:
            return 0.0
        return min(1.0, noise / spread)

    def _centred_quartic(self) -> Tensor:
        # The square of |y - m|^2 = |y|^2 - 2 m y + |m|^2, summed term by term, with total = n m.
        drift = self.total / self.count
        squared = drift @ drift
        return (
            self.quartic
            + 4 * drift @ self.scatter @ drift
            - 4 * drift @ self.cubic
            + 2 * squared * self.scatter.trace()
            - 3 * self.count * squared.square()
        )


def moments_of(tokens: Tensor, earlier: Moments | None = None) -> Moments:
    """The sums over `tokens` (one row a token), added to those of earlier batches.

    Raises:
        ShapeError: not a table, or of another width than the earlier batches.
        DataError: a value is not finite.

    >>> first = moments_of(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    >>> both = moments_of(torch.tensor([[5.0, 3.0]]), first)
    >>> both.count, both.mean.tolist()
    (3, [3.0, 1.0])
    """
    rows = matrix("tokens", tokens)
    if earlier is None:
        origin = rows[0].clone()
    else:
        check_width("tokens", rows, earlier.width, "the earlier tokens")
        origin = earlier.origin
    moved = rows - origin
    squared = moved.square().sum(1)
    sums = (moved.sum(0), moved.T @ moved, squared @ moved, squared @ squared)
    if earlier is None:
        return Moments(len(rows), origin, *sums)
    before = (earlier.total, earlier.scatter, earlier.cubic, earlier.quartic)
    added = [old + new.to(old.device) for old, new in zip(before, sums, strict=True)]
    return Moments(earlier.count + len(rows), origin, *added)
