"""What must hold of token tables, displacements and position codes before they are measured."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.errors import DataError, ShapeError
from orthogan.geometry.inputs import finite, matrix


def token_table(tokens: Tensor, name: str = "tokens") -> Tensor:
    """The table as a detached float64 copy on the CPU, rows x width.

    Raises:
        ShapeError: it is not a matrix, or it is empty.
        DataError: it holds NaN, infinite or complex values.
    """
    return matrix(name, tokens.cpu(), "the axes (rows, width), both at least 1")


def displacement(tokens: Tensor, shift: Tensor, name: str = "shift") -> Tensor:
    """The displacement as a detached float64 vector as wide as the tokens.

    Raises:
        ShapeError: it is not a vector, or its width is another one.
        DataError: it holds NaN, infinite or complex values.
    """
    if shift.ndim != 1:
        raise ShapeError(f"'{name}' needs the axis (width), got shape {tuple(shift.shape)}.")
    check_width(tokens, shift, name)
    return finite(name, shift)


def position_codes(tokens: Tensor, codes: Tensor, name: str = "codes") -> Tensor:
    """The codes as a detached float64 matrix, one row a position, as wide as the tokens.

    Raises:
        ShapeError: it is not a matrix, it is empty, or its width is another one.
        DataError: it holds NaN, infinite or complex values.
    """
    checked = token_table(codes, name)
    check_width(tokens, codes, name)
    return checked


def check_width(tokens: Tensor, other: Tensor, name: str) -> None:
    """Nothing, if both are equally wide (last axis).

    Raises:
        ShapeError: they are not.
    """
    if tokens.shape[-1] != other.shape[-1]:
        raise ShapeError(
            f"'{name}' must be as wide as the tokens (last axis): "
            f"{other.shape[-1]} != {tokens.shape[-1]}."
        )


def check_directions(tokens: Tensor, name: str = "tokens") -> None:
    """Nothing, if every row has a direction.

    Raises:
        DataError: a row is zero; the message names the first one.
    """
    zero = (tokens == 0).all(1).nonzero().flatten()
    if len(zero):
        raise DataError(
            f"'{name}' holds {len(zero)} zero rows (the first is row {int(zero[0])}), which have "
            "no direction; leave them out."
        )


def binary_scale(*tensors: Tensor) -> float:
    """A power of two that brings the largest entry of all tensors to [1/2, 1).

    Multiplying by it is exact, and no square of a scaled entry overflows.

    >>> binary_scale(torch.tensor([3.0]), torch.tensor([-5.0]))
    0.125
    """
    largest = max(float(tensor.abs().max()) for tensor in tensors)
    exponent = math.frexp(largest)[1]
    return math.ldexp(1.0, min(-exponent, 1000))  # of a subnormal it would overflow itself


def answer_dtype(*tensors: Tensor) -> torch.dtype:
    """The precision an answer is given in: the widest of the inputs, float32 at least."""
    dtype = torch.float32
    for tensor in tensors:
        if tensor.dtype.is_floating_point:
            dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype
