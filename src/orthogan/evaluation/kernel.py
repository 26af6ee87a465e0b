"""Kernel distance: unbiased squared maximum mean discrepancy with a cubic kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.evaluation.features import check_same_width
from orthogan.rng import permutation
from orthogan.shapes import Features
from orthogan.statistics import Interval, mean_interval

SUBSET_SIZE = 1000  # as in Binkowski et al. 2018; smaller sets are cut into MIN_SUBSETS
MIN_SUBSETS = 5
MIN_SUBSET_SIZE = 20


def cubic_kernel(left: Tensor, right: Tensor) -> Tensor:
    """$(x . y / F + 1)^3$ for every pair of rows."""
    return (left @ right.T / left.shape[1] + 1) ** 3


def squared_discrepancy(fake: Tensor, real: Tensor) -> float:
    """Unbiased estimate of the squared MMD of two sets of rows; negative by chance near 0.

    Source: Gretton et al. 2012, equation 3; the kernel of Binkowski et al. 2018 (KID).
    """
    check_same_width(fake, real)
    fake, real = fake.double(), real.double()
    return _mean_off_diagonal(fake) + _mean_off_diagonal(real) - 2 * _mean(fake, real)


def kernel_distance(fake: Tensor, real: Tensor, seed: int = 0) -> tuple[float, Interval]:
    """Mean squared MMD over disjoint subsets, and its 95 % interval.

    Disjoint subsets are independent, so Student's t over them is an honest interval; subsets
    drawn again and again from the same images would look more certain than they are.

    Raises:
        ConfigError: too few images for five subsets of 20.
    """
    n = min(len(fake), len(real))
    size = min(SUBSET_SIZE, n // MIN_SUBSETS)
    if size < MIN_SUBSET_SIZE:
        raise ConfigError(
            f"A kernel distance needs at least {MIN_SUBSETS * MIN_SUBSET_SIZE} images in both "
            f"sets, got {n}; use more images."
        )
    fakes, reals = (_subsets(rows, size, n // size, seed) for rows in (fake, real))
    pairs = zip(fakes, reals, strict=True)
    values = torch.tensor([squared_discrepancy(a, b) for a, b in pairs], dtype=torch.float64)
    return float(values.mean()), mean_interval(values)


def _subsets(rows: Features, size: int, count: int, seed: int) -> list[Tensor]:
    order = permutation(len(rows), seed, "kernel-subsets", 0)[: size * count]
    return [rows[chosen] for chosen in order.reshape(count, size)]


def _mean_off_diagonal(rows: Tensor) -> float:
    n = len(rows)
    kernel = cubic_kernel(rows, rows)
    return float((kernel.sum() - kernel.trace()) / (n * (n - 1)))


def _mean(left: Tensor, right: Tensor) -> float:
    return float(cubic_kernel(left, right).mean())
