"""The rows of a table as a measurement can stand on them."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.errors import DataError, ShapeError

# Relative size of a singular value, per dimension, that rounding of float64 can explain.
ROUNDING = 1e-14


def finite_rows(name: str, table: Tensor) -> Tensor:
    """A detached float64 copy of a table, one row a vector.

    Args:
        name: The argument's name, for the message.
        table: What the caller was given.

    Raises:
        ShapeError: it has not two axes, or one of them is empty.
        DataError: it holds NaN or infinite values.

    >>> finite_rows("tokens", torch.zeros(3))
    Traceback (most recent call last):
    orthogan.errors.ShapeError: 'tokens' needs one row a vector, got shape (3,).
    """
    if table.dim() != 2 or 0 in table.shape:
        raise ShapeError(f"'{name}' needs one row a vector, got shape {tuple(table.shape)}.")
    rows = table.detach().double()
    if not bool(rows.isfinite().all()):
        raise DataError(f"'{name}' holds NaN or infinite values; check where it comes from.")
    return rows


def check_width(name: str, table: Tensor, width: int, of: str) -> None:
    """Nothing, if the last axis of a table is as wide as another's.

    Raises:
        ShapeError: it is not.
    """
    if table.shape[-1] != width:
        raise ShapeError(
            f"'{name}' needs the width {width} of '{of}', got shape {tuple(table.shape)}."
        )


def symmetric(name: str, matrix: Tensor) -> Tensor:
    """A float64 copy of a symmetric matrix.

    Raises:
        ShapeError: it is not square.
        DataError: it is not symmetric up to rounding of its own precision, or not finite.
    """
    exact = finite_rows(name, matrix)
    if exact.shape[0] != exact.shape[1]:
        raise ShapeError(f"'{name}' needs to be square, got shape {tuple(matrix.shape)}.")
    # A product of two matrices is symmetric up to the rounding of its sums.
    slack = 100 * torch.finfo(matrix.dtype).eps if matrix.is_floating_point() else 0.0
    if float((exact - exact.T).abs().max()) > slack * float(exact.abs().max()):
        raise DataError(f"'{name}' needs to be symmetric; pass (M + M.T) / 2 if that is meant.")
    half: Tensor = (exact + exact.T) / 2
    return half
