"""Null models: the same numbers with the dependence in question destroyed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.rng import stream


def permuted_columns(rows: Tensor, seed: int, draw: int) -> Tensor:
    """The rows with every column permuted on its own: same columns, no dependence between them.

    >>> rows = torch.arange(6.0).reshape(3, 2)
    >>> sorted(permuted_columns(rows, 0, 0)[:, 1].tolist())
    [1.0, 3.0, 5.0]
    """
    source = stream(seed, "column-permutation", draw)
    return torch.from_numpy(source.permuted(rows.numpy(), axis=0))


def marchenko_pastur_edges(samples: int, dimensions: int) -> tuple[float, float]:
    r"""Where the eigenvalues of a sample correlation matrix lie when nothing is correlated.

    $\lambda_\pm = (1 \pm \sqrt{D / n})^2$

    With fewer samples than dimensions, further eigenvalues are exactly 0. The edges are those of
    large tables; in a finite one the largest eigenvalue exceeds the upper edge now and then.

    Args:
        samples: Degrees of freedom n: rows, less one where a mean was taken off.
        dimensions: Columns D.

    Raises:
        ConfigError: a count is not positive.

    Source: Marchenko and Pastur 1967.

    >>> marchenko_pastur_edges(400, 100)
    (0.25, 2.25)
    """
    if min(samples, dimensions) < 1:
        raise ConfigError(
            f"Marchenko-Pastur edges need positive counts, got {samples} samples and "
            f"{dimensions} dimensions."
        )
    ratio = math.sqrt(dimensions / samples)
    return (1 - ratio) ** 2, (1 + ratio) ** 2


def check_num_draws(num_draws: int) -> int:
    """The count itself, if it is at least one.

    Raises:
        ConfigError: it is not.
    """
    if num_draws < 1:
        raise ConfigError(f"A null model needs at least 1 draw, got num_draws={num_draws}.")
    return num_draws
