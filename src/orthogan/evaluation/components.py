"""The few directions in which real images differ: what wide features are compared along."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.evaluation.features import check_finite
from orthogan.evaluation.frechet import SAMPLES_PER_FEATURE
from orthogan.shapes import Features, PerFeature, Principal

FLAT = (
    1e-6  # of the largest spread: a feature that varies less is a constant, and its noise rounding
)
# A change that nobody sees moves a feature by half a spread at most: then letters with noise of
# three levels have the precision of clean ones, and those with noise of twelve a third of it.
UNSEEN_WEIGHT = 2.0


@dataclass(frozen=True)
class Components:
    """An affine map from features to the leading principal components of a reference set.

    Attributes:
        mean: Of every feature over the reference.
        directions: One column a component; standardising is part of it.
    """

    mean: Tensor
    directions: Tensor

    def project(self, features: Features) -> Principal:
        """The components of every image, in float32; where it stands in the set changes nothing."""
        return ((features.double() - self.mean) @ self.directions).float()


def principal_components(
    reference: Features, most: int, unseen: PerFeature | None = None
) -> Components:
    """The components along which a set of real images varies most, each feature standardised.

    Standardised, because features of one network differ in scale by orders of magnitude, and the
    largest are not the most telling. The components stay in the scale of the data (no whitening):
    directions that real images hardly vary in are noise, and whitening would make them count.

    Args:
        reference: Features of real images.
        most: At most so many; of few images fewer, so that a covariance can be estimated.
        unseen: By how much each feature moves where nobody sees a change; it counts as
            `UNSEEN_WEIGHT` times as much of the spread. None: nothing is unseen.

    Raises:
        DataError: a feature is not finite.

    Source: Hotelling 1933; on the correlation matrix: Jolliffe 2002, section 3.3.
    """
    check_finite(reference)
    exact = reference.double()
    mean, spread = exact.mean(0), exact.std(0)
    if unseen is not None:
        spread = torch.hypot(spread, UNSEEN_WEIGHT * unseen.double())
    varies = spread > FLAT * spread.max()
    scale = torch.where(varies, 1 / spread.masked_fill(~varies, 1), 0.0)
    standard = (exact - mean) * scale
    values, vectors = torch.linalg.eigh(standard.T @ standard / max(1, len(exact) - 1))
    kept = max(1, min(most, len(exact) // SAMPLES_PER_FEATURE, int((values > FLAT).sum())))
    leading = vectors[:, -kept:].flip(1)
    # The sign of an eigenvector is free: its largest entry is made positive, on every machine.
    largest = leading.gather(0, leading.abs().argmax(0, keepdim=True))
    return Components(mean, scale[:, None] * leading * largest.sign())
