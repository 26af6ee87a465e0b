"""The leading singular vectors of a large sparse matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.rng import stream

OVERSAMPLED = 14  # directions beyond those that are wanted: Halko et al. advise 5 to 10
ROUNDS = 6  # products with the matrix and its transpose: the spectrum of word tables falls slowly


def truncated_svd(matrix: Tensor, rank: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    r"""Left vectors, singular values and right vectors: $A \approx U \operatorname{diag}(s) V^T$.

    Signs are fixed: the entry of largest size in every left vector is positive.

    Args:
        matrix: Sparse or dense, float64, `N x M`.
        rank: How many of the largest singular values.
        seed: Of the random directions the iteration begins with.

    Returns:
        `N x rank`, `rank` (descending), `M x rank`.

    Raises:
        ConfigError: `rank` is below 1 or above the smaller side.

    Source: Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1.
    Not covered: directions whose singular values are within rounding of the next ones.

    >>> left, values, right = truncated_svd(torch.diag(torch.tensor([1.0, 3.0, 2.0]).double()), 2)
    >>> values.round(decimals=6).tolist(), left[1, 0].round(decimals=6).item()
    ([3.0, 2.0], 1.0)
    """
    smaller = min(matrix.shape)
    if not 1 <= rank <= smaller:
        raise ConfigError(f"'rank' must lie in 1..{smaller}, got {rank}.")
    size = min(rank + OVERSAMPLED, smaller)
    source = stream(seed, "truncated-svd")
    start = torch.from_numpy(source.standard_normal((matrix.shape[1], size)))
    turned = matrix.T
    basis = torch.linalg.qr(matrix @ start).Q
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(matrix @ torch.linalg.qr(turned @ basis).Q).Q
    inner, values, right = torch.linalg.svd((turned @ basis).T, full_matrices=False)
    left = (basis @ inner)[:, :rank]
    largest = left.gather(0, left.abs().argmax(0, keepdim=True))[0]
    signs = torch.where(largest < 0, -1.0, 1.0)
    return left * signs, values[:rank], right[:rank].T * signs
