"""Frames that are not orthonormal: coordinates, dual basis, metric; and codes put in their place.

Plain dot products with the rows of a frame are coordinates only where the frame is orthonormal;
the dual basis supplies the correction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.inputs import check_width, matrix, symmetric

# Relative size of a singular value, per dimension, that rounding of float64 can explain.
ROUNDING = 1e-14


def dual_basis(frame: Tensor) -> Tensor:
    r"""The rows $\tilde B = G^{-1} B$ whose dot products with a vector are its coordinates.

    $\tilde B B^\top = I$. With $B^\top = Q R$ it is $R^{-1} Q^\top$, so that the Gram matrix,
    whose condition is the square of the frame's, is never inverted.

    Args:
        frame: One basis vector a row, linearly independent.

    Raises:
        ShapeError: not a table, or more rows than dimensions.
        DataError: a value is not finite.
        ConfigError: the rows are linearly dependent.

    Source: the biorthogonal basis of linear algebra; $G^{-1} B B^\top = G^{-1} G = I$.

    >>> dual_basis(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).round(decimals=6).abs().tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    rows = matrix("frame", frame)
    if len(rows) > rows.shape[1]:
        raise ShapeError(
            f"'frame' needs no more rows than dimensions, got shape {tuple(rows.shape)}."
        )
    values = torch.linalg.svdvals(rows)
    rank = int((values > ROUNDING * rows.shape[1] * values[0]).sum())
    if rank < len(rows):
        raise ConfigError(
            f"The {len(rows)} rows of 'frame' have rank {rank}: coordinates are not unique; "
            "drop dependent rows."
        )
    axes, triangle = torch.linalg.qr(rows.T)
    dual: Tensor = torch.linalg.solve_triangular(triangle, axes.T, upper=True)
    return dual


def coefficients(vectors: Tensor, frame: Tensor) -> Tensor:
    r"""Coordinates $G^{-1} B x$ of each vector in a frame: `vectors = coefficients @ frame`.

    They are $B x$, plain dot products, if and only if $G = I$ (take x from the rows of B).
    A vector outside the span is represented by its projection onto it.

    Args:
        vectors: One a row.
        frame: One basis vector a row, linearly independent.

    Raises:
        ShapeError: widths differ, or not tables.
        DataError: a value is not finite.
        ConfigError: the rows of the frame are linearly dependent.

    >>> frame = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    >>> coefficients(torch.tensor([[3.0, 2.0]]), frame).round(decimals=6).tolist()
    [[1.0, 2.0]]
    """
    rows = matrix("vectors", vectors)
    check_width("vectors", rows, matrix("frame", frame).shape[-1], "frame")
    return rows @ dual_basis(frame).T


def mahalanobis_products(tokens: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    r"""All products $(X - \mu) \Sigma^{-1} (X - \mu)^\top$ of tokens in the metric of their data.

    Whitened tokens have them as plain dot products.

    Args:
        tokens: One a row.
        mean: Their mean, `D`.
        covariance: Their covariance, `D D`, positive definite.

    Raises:
        ShapeError: widths differ.
        DataError: a value is not finite, or the covariance not symmetric positive definite.

    Source: Mahalanobis 1936, "On the generalised distance in statistics".

    >>> table = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> mahalanobis_products(table, torch.zeros(2), torch.diag(torch.tensor([4.0, 1.0]))).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    rows, metric = matrix("tokens", tokens), symmetric("covariance", covariance)
    check_width("covariance", metric, rows.shape[1], "tokens")
    check_width("mean", mean, rows.shape[1], "tokens")
    centred = rows - matrix("mean", mean[None])
    if float(torch.linalg.eigvalsh(metric)[0]) <= 0:
        raise DataError(
            "'covariance' needs to be positive definite; shrink it, or drop dimensions."
        )
    products: Tensor = centred @ torch.linalg.solve(metric, centred.T)
    return products


def placement(code_moment: Tensor, token_covariance: Tensor) -> Tensor:
    r"""The orthogonal map R that turns codes into the directions in which tokens vary least.

    $\min_{R^\top R = I} \mathrm{tr}(R^\top S_P R \, S_E) = \sum_k a_k b_{D+1-k}$ with the
    eigenvalues a and b in the same order: eigenvectors are paired in opposite order.

    Args:
        code_moment: Second moments of the codes, `D D`, symmetric; codes turn as `codes @ R`.
        token_covariance: Covariance of the tokens, `D D`, symmetric.

    Raises:
        ShapeError: not square, or of different widths.
        DataError: not finite or not symmetric.

    Source: von Neumann 1937, "Some matrix inequalities and metrization of matric-space"; Theobald
        1975, "An inequality for the trace of the product of two symmetric matrices".

    >>> codes, tokens = torch.diag(torch.tensor([3.0, 0.0])), torch.diag(torch.tensor([5.0, 1.0]))
    >>> turn = placement(codes, tokens)
    >>> float((turn.T @ codes.double() @ turn @ tokens.double()).trace().round(decimals=6))
    3.0
    """
    moment = symmetric("code_moment", code_moment)
    spread = symmetric("token_covariance", token_covariance)
    check_width("token_covariance", spread, len(moment), "code_moment")
    code_axes, token_axes = torch.linalg.eigh(moment)[1], torch.linalg.eigh(spread)[1]
    turn: Tensor = code_axes.flip(1) @ token_axes.T
    return turn
