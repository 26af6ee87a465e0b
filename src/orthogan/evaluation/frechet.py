"""Frechet distance between Gaussians fitted to features, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.evaluation.features import check_finite, check_same_width
from orthogan.rng import stream
from orthogan.shapes import Features
from orthogan.statistics import Interval, centred_interval

SAMPLES_PER_FEATURE = 2  # below, the sample covariance is close to singular and the bias large
NUM_BLOCKS = 100  # independent blocks of fakes that are resampled for the interval
NUM_RESAMPLES = 100  # the half-width then has a relative error of about 7 %
ROUNDING = 1e-8  # relative size of a negative distance that float64 rounding can explain


@dataclass(frozen=True)
class Moments:
    """Mean and covariance (float64) of `n` feature vectors."""

    mean: Tensor
    covariance: Tensor
    n: int

    @cached_property
    def root(self) -> Tensor:
        """The symmetric square root of the covariance."""
        values, vectors = torch.linalg.eigh(self.covariance)
        root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
        return root


def moments(features: Features) -> Moments:
    """Mean and covariance of a set of feature vectors.

    Raises:
        ConfigError: fewer than two samples per feature.
        DataError: a feature is not finite.
    """
    check_features(features)
    exact = features.double()
    mean = exact.mean(0)
    centred = exact - mean
    return Moments(mean, centred.T @ centred / (len(exact) - 1), len(exact))


def check_features(features: Features) -> None:
    """Refuse features that no Frechet distance can be trusted on."""
    n, width = features.shape
    if n < SAMPLES_PER_FEATURE * width:
        raise ConfigError(
            f"A Frechet distance on {width} features needs at least "
            f"{SAMPLES_PER_FEATURE * width} images, got {n}; use more images."
        )
    check_finite(features)


def frechet_distance(fake: Moments, real: Moments) -> float:
    r"""The squared Frechet (2-Wasserstein) distance of two Gaussians.

    $d^2 = |m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1^{1/2} S_2 S_1^{1/2})^{1/2})$

    The product is symmetric, so its eigenvalues are real: no general matrix root is taken.

    Source: Dowson and Landau 1982; Heusel et al. 2017 (FID, which squares it likewise).

    >>> eye = torch.eye(2, dtype=torch.float64)
    >>> a = Moments(torch.zeros(2, dtype=torch.float64), eye, 9)
    >>> b = Moments(torch.tensor([3.0, 4.0], dtype=torch.float64), 4 * eye, 9)
    >>> round(frechet_distance(a, b), 9)
    27.0
    """
    check_same_width(fake.mean, real.mean)
    inner = real.root @ fake.covariance @ real.root
    overlap = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp_min(0).sqrt().sum()
    spread = torch.trace(fake.covariance) + torch.trace(real.covariance)
    distance = float((fake.mean - real.mean).square().sum() + spread - 2 * overlap)
    if distance < -ROUNDING * max(float(spread), 1.0):
        raise ArithmeticError(f"The Frechet distance came out negative: {distance}.")
    return max(distance, 0.0)


def frechet_interval(fake: Features, real: Moments, value: float, seed: int = 0) -> Interval:
    """A 95 % interval for the choice of fakes: blocks of them are drawn with replacement.

    The resampled distances are shifted to the measured one, because resampling adds the
    finite-sample bias of the distance a second time. The real set is taken as given.
    """
    counts, sums, products = _block_sums(fake.double())
    source = stream(seed, "frechet-interval")
    draws = []
    for _ in range(NUM_RESAMPLES):
        weights = torch.from_numpy(source.multinomial(len(counts), [1 / len(counts)] * len(counts)))
        draws.append(frechet_distance(_weighted(weights.double(), counts, sums, products), real))
    return centred_interval(value, draws, lowest=0.0)


def _block_sums(features: Features) -> tuple[Tensor, Tensor, Tensor]:
    blocks = features.tensor_split(min(NUM_BLOCKS, len(features)))
    counts = torch.tensor([len(block) for block in blocks], dtype=torch.float64)
    sums = torch.stack([block.sum(0) for block in blocks])
    return counts, sums, torch.stack([block.T @ block for block in blocks])


def _weighted(weights: Tensor, counts: Tensor, sums: Tensor, products: Tensor) -> Moments:
    n = float(weights @ counts)
    mean = weights @ sums / n
    second = torch.tensordot(weights, products, 1)
    return Moments(mean, (second - n * torch.outer(mean, mean)) / (n - 1), round(n))
