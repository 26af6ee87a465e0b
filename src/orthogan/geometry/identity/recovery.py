r"""What linear read-outs get back of token and position, and which displaced tokens coincide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.identity.superposition import Coincidence, closest_superposition
from orthogan.geometry.inputs import (
    answer_dtype,
    binary_scale,
    check_equal,
    matrix,
    position_codes,
    token_table,
)

ORTHONORMAL = 16  # times eps and the root of the rows: how far such products may be off
RANK_ROUNDING = 2.0**-52  # times the larger side of the table: numpy's default for a rank


@dataclass(frozen=True)
class Recovery:
    r"""What can be read back from the sums $e_i + p_t$.

    Attributes:
        token_rank: Dimension of the span of the tokens.
        position_rank: Dimension of the span of the codes.
        angles: Principal angles between both spans, radians, smallest first.
        separable: Whether linear maps read both back without error: the spans share the origin
            only.
        readout_norm: Norm of the read-out of the tokens that ignores the codes (equal to that of
            the codes that ignores the tokens): 1 / sin of the smallest angle; infinite if not
            separable. Noise is amplified by that factor.
        token_r2: Share of the tokens' variance that the best linear read-out predicts when token
            and position are drawn independently and uniformly; 1 for tokens that do not vary.
        position_r2: The same for the codes.
        coincidence: The two displaced tokens that lie nearest to each other.
    """

    token_rank: int
    position_rank: int
    angles: Tensor
    separable: bool
    readout_norm: float
    token_r2: float
    position_r2: float
    coincidence: Coincidence


def recover(tokens: Tensor, codes: Tensor) -> Recovery:
    r"""Whether and how well token and position can be read back from their sum.

    Without error iff $\mathrm{span} E \cap \mathrm{span} P = \{0\}$, which needs
    $\mathrm{rank} E + \mathrm{rank} P \le D$. Otherwise linear minimum mean square error:
    $R^2_P = \mathrm{tr}(\Sigma_P (\Sigma_E + \Sigma_P)^{+} \Sigma_P) / \mathrm{tr} \Sigma_P$, and
    likewise for the tokens.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position, as wide as the tokens.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.

    Source: principal angles after Bjorck and Golub 1973; the norm of an oblique projection is
    1 / sin of the angle between its range and its kernel (Ipsen and Meyer 1995).
    Not covered: read-outs that are not linear; see the coincidence for what none can tell apart.

    >>> found = recover(torch.eye(4)[:2], torch.eye(4)[2:])
    >>> found.separable, found.readout_norm, round(found.position_r2, 9)
    (True, 1.0, 1.0)
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    left, left_doubt = _span(table)
    right, right_doubt = _span(shifts)
    angles = _angles(left, right)
    rank, smallest = left.shape[1] + right.shape[1], float(angles[0]) if len(angles) else None
    apart = rank <= table.shape[1] and (smallest is None or smallest > left_doubt + right_doubt)
    token_r2, position_r2 = linear_r2(table, shifts)
    sine = 1.0 if smallest is None else float(angles[0].sin())
    return Recovery(
        token_rank=left.shape[1],
        position_rank=right.shape[1],
        angles=angles.to(answer_dtype(tokens, codes)),
        separable=apart,
        readout_norm=1 / sine if apart else torch.inf,
        token_r2=token_r2,
        position_r2=position_r2,
        coincidence=closest_superposition(table, shifts),
    )


def linear_r2(tokens: Tensor, codes: Tensor) -> tuple[float, float]:
    """Shares of the tokens' and of the codes' variance that the best linear read-outs predict.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.

    >>> linear_r2(torch.tensor([[1.0], [-1.0]]), torch.tensor([[2.0], [-2.0]]))
    (0.2, 0.8)
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    scale = binary_scale(table, shifts)
    return explained(_covariance(table * scale), _covariance(shifts * scale))


def principal_angles(left: Tensor, right: Tensor) -> Tensor:
    """Principal angles between the spans of two orthonormal bases (columns), smallest first.

    Small angles are taken from their sines, because a cosine near 1 has lost them.

    Args:
        left: One basis vector a column.
        right: Likewise, columns of the same length.

    Raises:
        ShapeError: not two matrices with equally many rows.
        DataError: a value is not finite, or the columns of a matrix are not orthonormal.

    >>> plane = torch.eye(3, dtype=torch.float64)
    >>> principal_angles(plane[:, :1], plane[:, 1:]).tolist()
    [1.5707963267948966]
    """
    dtype = answer_dtype(left, right)
    left, right = _orthonormal("left", left), _orthonormal("right", right)
    check_equal("left", len(left), "right", len(right), "number of rows")
    return _angles(left, right).to(dtype)


def _angles(left: Tensor, right: Tensor) -> Tensor:
    if left.shape[1] < right.shape[1]:
        left, right = right, left
    inner = left.T @ right
    cosines = torch.linalg.svdvals(inner).clamp(max=1)
    sines = torch.linalg.svdvals(right - left @ inner).clamp(max=1).flip(0)
    return torch.where(cosines.square() > 0.5, sines[: len(cosines)].asin(), cosines.acos())


def _orthonormal(name: str, basis: Tensor) -> Tensor:
    exact = matrix(name, basis, "one basis vector a column")
    # Columns made orthonormal in float32, wherever they went since, are off by its rounding.
    narrow = basis.dtype if basis.is_floating_point() and basis.itemsize < 4 else torch.float32
    eps = torch.finfo(narrow).eps
    slack = ORTHONORMAL * math.sqrt(len(exact)) * eps
    off = float((exact.T @ exact - torch.eye(exact.shape[1]).to(exact)).abs().max())
    if off > slack:
        raise DataError(
            f"'{name}' needs orthonormal columns, their products are up to {off:.2g} off; pass "
            f"torch.linalg.qr({name}).Q, which spans the same space."
        )
    return exact


def explained(token_covariance: Tensor, position_covariance: Tensor) -> tuple[float, float]:
    r"""R^2 of the best linear read-outs of token and position from their sum.

    Both errors are $\mathrm{tr}(\Sigma_E - \Sigma_E (\Sigma_E + \Sigma_P)^{+} \Sigma_E)$, the
    parallel sum of the two covariances, relative to the trace of each.

    Source: Gauss-Markov; the parallel sum after Anderson and Duffin 1969.
    """
    total = token_covariance + position_covariance
    values, vectors = torch.linalg.eigh(total)
    floor = values[-1].clamp_min(0) * len(values) * RANK_ROUNDING
    inverse = torch.where(values > floor, 1 / values, 0.0)
    results = []
    for covariance in (token_covariance, position_covariance):
        spread = float(covariance.trace())
        rotated = vectors.T @ covariance
        caught = float((inverse[:, None] * rotated.square()).sum())
        results.append(min(max(caught / spread, 0.0), 1.0) if spread > 0 else 1.0)
    return results[0], results[1]


def _span(table: Tensor) -> tuple[Tensor, float]:
    """An orthonormal basis (columns) of the span of the rows, and how far rounding may tilt it."""
    scaled = table * binary_scale(table)
    if len(scaled) > scaled.shape[1]:  # the triangular factor has the same rows' span
        scaled = torch.linalg.qr(scaled, mode="r").R
    _, values, vectors = torch.linalg.svd(scaled, full_matrices=False)
    rounding = max(table.shape) * RANK_ROUNDING
    present = values > values[0] * rounding
    condition = float(values[0] / values[present][-1]) if bool(present.any()) else 1.0
    return vectors[present].T, rounding * condition


def _covariance(table: Tensor) -> Tensor:
    centred = table - table.mean(0)
    return centred.T @ centred / len(table)
