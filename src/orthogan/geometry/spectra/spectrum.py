r"""How many directions a table uses: ranks that count degrees, isotropy, and mean cosine.

Every function takes a table, one row a sample, and returns one number;
`dimension_usage` sets them beside their nulls, which small tables need: $N$ rows can fill at most
$N$ directions however they are drawn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.inputs import centre, check_at_least, exact
from orthogan.shapes import Table


def singular_values(table: Table, centred: bool = False) -> Tensor:
    """Singular values of a table in descending order, in float64.

    Args:
        table: One row a sample.
        centred: Take the mean row off first.

    Raises:
        ShapeError: not a table, or an empty one.
        DataError: a value is not finite.
    """
    rows = exact("table", table, "rows width")
    values: Tensor = torch.linalg.svdvals(centre(rows) if centred else rows)
    return values


def effective_rank(table: Table, centred: bool = False) -> float:
    r"""How many directions a matrix uses: the exponential of the entropy of its singular values.

    $\exp(-\sum_k p_k \ln p_k),\ p_k = \sigma_k / \sum_l \sigma_l$; from 1 (one direction) to
    $\min(N, D)$ (all alike); 0 for a matrix of zeros. It does not change with scale or rotation.

    Args:
        table: One row a sample; any matrix.
        centred: Take the mean row off first. Off, as the source defines it on a matrix; with a
            large common mean, that mean is most of what is counted.

    Raises:
        ShapeError: not a table, or an empty one.
        DataError: a value is not finite.

    Source: Roy and Vetterli 2007, "The effective rank", definition 1. Not covered: whether the
        number is small for the number of rows; see `dimension_usage`.

    >>> round(effective_rank(torch.eye(3)), 12)
    3.0
    """
    return rank_of(singular_values(table, centred))


def participation_ratio(table: Table, centred: bool = True) -> float:
    r"""How many principal components share the variance.

    $(\sum_k \lambda_k)^2 / \sum_k \lambda_k^2$ over the eigenvalues of the covariance; from 1 to
    $\min(N - 1, D)$; 0 where nothing varies. On the same matrix
    `stable_rank` <= `participation_ratio` <= `effective_rank` <= rank.

    Args:
        table: One row a sample.
        centred: Take the mean row off first, as a covariance does.

    Raises:
        ShapeError: not a table, or an empty one.
        DataError: a value is not finite.

    Source: Gao et al. 2017, "A theory of multineuronal dimensionality", equation 4.

    >>> participation_ratio(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    2.0
    """
    return participation_of(singular_values(table, centred).square())


def stable_rank(table: Table, centred: bool = False) -> float:
    r"""Energy of a matrix in units of its strongest direction: $\|A\|_F^2 / \|A\|_2^2$.

    At most the rank, and it does not jump when a tiny singular value appears; 0 for zeros.

    Args:
        table: One row a sample; any matrix.
        centred: Take the mean row off first.

    Raises:
        ShapeError: not a table, or an empty one.
        DataError: a value is not finite.

    Source: Rudelson and Vershynin 2007, "Sampling from large matrices", section 1.

    >>> stable_rank(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    1.25
    """
    return stable_of(singular_values(table, centred))


def isoscore(table: Table) -> float:
    r"""How evenly the variance is spread: 1 for every direction alike, 0 for a single one.

    With $\hat\Sigma = \sqrt D\, \Sigma_D / \|\Sigma_D\|$ ($\Sigma_D$: variances along the principal
    components), the defect $\delta = \|\hat\Sigma - \mathbf 1\| / \sqrt{2 (D - \sqrt D)}$ and
    $\phi = (D - \delta^2 (D - \sqrt D))^2 / D^2$, the score is $(D \phi - 1) / (D - 1)$.

    Multiplied out, $D \phi$ is the participation ratio $r$ of the covariance, so the score is
    exactly $(r - 1) / (D - 1)$: the share of the spare dimensions that is used.

    Args:
        table: One row a sample, at least two of them, and at least two columns.

    Raises:
        ShapeError: fewer than two rows or columns.
        DataError: a value is not finite, or no two rows differ.

    Source: Rudman, Gillman, Rayne, Eickhoff 2022, "IsoScore", algorithm 1.

    >>> round(isoscore(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 12)
    1.0
    """
    rows = exact("table", table, "rows width")
    check_at_least("table", rows.shape[1], 2, "columns", "to spread variance over")
    check_at_least("table", rows.shape[0], 2, "rows", "to have a variance")
    return isoscore_of(singular_values(rows, centred=True).square(), rows.shape[1])


def mean_cosine(table: Table) -> float:
    r"""Mean cosine of all pairs of different rows; near 1 when a common mean dominates.

    $(\|\sum_i \hat x_i\|^2 - \sum_i \|\hat x_i\|^2) / (N (N - 1))$; rows of zeros have cosine 0.

    A contrast, not a measure of isotropy: it sees the mean vector and little else. An isotropic
    cloud away from the origin scores near 1, a cloud on one line through the origin may score 0.

    Args:
        table: One row a sample, at least two of them.

    Raises:
        ShapeError: fewer than two rows.
        DataError: a value is not finite.

    Source: Ethayarajh 2019, "How contextual are contextualized word representations?", section
        3.3; its faults: Rudman et al. 2022, section 2.

    >>> mean_cosine(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    """
    rows = exact("table", table, "rows width")
    check_at_least("table", len(rows), 2, "rows", "to make a pair")
    largest = rows.abs().amax(1, keepdim=True)
    scaled = rows / torch.where(largest > 0, largest, 1.0)  # so that no square under- or overflows
    unit = torch.nn.functional.normalize(scaled, dim=1)
    pairs = unit.sum(0).square().sum() - unit.square().sum()
    return float(pairs / (len(rows) * (len(rows) - 1)))


def rank_of(values: Tensor) -> float:
    """Effective rank from singular values."""
    values = _relative(values)
    total = float(values.sum())
    if total == 0:
        return 0.0
    share = values / total
    return math.exp(float(torch.special.entr(share).sum()))


def participation_of(values: Tensor) -> float:
    """Participation ratio from eigenvalues of a covariance, in any unit."""
    values = _relative(values)
    energy = float(values.square().sum())
    return float(values.sum()) ** 2 / energy if energy else 0.0


def stable_of(values: Tensor) -> float:
    """Stable rank from singular values."""
    return float(_relative(values).square().sum())


def isoscore_of(values: Tensor, dimensions: int) -> float:
    """IsoScore from eigenvalues of a covariance; the missing ones are zeros.

    Raises:
        DataError: all of them are zero.
    """
    values = _relative(values)
    if not bool(values.any()):
        raise DataError("'table' has no two different rows, so no direction has any variance.")
    variances = torch.zeros(dimensions, dtype=torch.float64)
    variances[: min(dimensions, len(values))] = values[:dimensions]
    normalised = math.sqrt(dimensions) * variances / variances.norm()
    spare = dimensions - math.sqrt(dimensions)
    defect = float((normalised - 1).norm()) / math.sqrt(2 * spare)
    used = (dimensions - defect**2 * spare) ** 2 / dimensions**2
    return min(max((dimensions * used - 1) / (dimensions - 1), 0.0), 1.0)


def _relative(values: Tensor) -> Tensor:
    # In units of the largest, so that squares neither overflow nor vanish.
    largest = values.max()
    return values / largest if largest > 0 else values
