"""What must hold of a tensor before anything is measured on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from orthogan.errors import DataError, ShapeError


def exact(name: str, tensor: Tensor, axes: str) -> Tensor:
    """A detached float64 copy on the CPU, if the tensor is what a measurement can stand on.

    Args:
        name: The argument's name, for the message.
        tensor: What the caller was given.
        axes: The axes it must have, one word each, none of them empty.

    Raises:
        ShapeError: it has other axes, or an axis of length 0.
        DataError: it holds NaN, infinite or complex values.

    >>> exact("states", torch.zeros(2, 3), "images tokens width")
    Traceback (most recent call last):
    orthogan.errors.ShapeError: 'states' needs the axes (images, tokens, width), got shape (2, 3).
    """
    names = axes.split()
    shape = tuple(tensor.shape)
    if len(shape) != len(names):
        raise ShapeError(f"'{name}' needs the axes ({', '.join(names)}), got shape {shape}.")
    for axis, size in zip(names, shape, strict=True):
        if size == 0:
            raise ShapeError(f"'{name}' needs at least one of its {axis}, got shape {shape}.")
    return finite(name, tensor)


def matrix(name: str, table: Tensor, needs: str = "one row a vector") -> Tensor:
    """A detached float64 copy of a table, on the device that it lies on.

    Args:
        name: The argument's name, for the message.
        table: What the caller was given.
        needs: What a table has, for the message.

    Raises:
        ShapeError: it has not two axes, or one of them is empty.
        DataError: it holds NaN, infinite or complex values.

    >>> matrix("tokens", torch.zeros(3))
    Traceback (most recent call last):
    orthogan.errors.ShapeError: 'tokens' needs one row a vector, got shape (3,).
    """
    if table.ndim != 2 or 0 in table.shape:
        raise ShapeError(f"'{name}' needs {needs}, got shape {tuple(table.shape)}.")
    return finite(name, table, table.device)


def symmetric(name: str, table: Tensor) -> Tensor:
    """A float64 copy of a symmetric matrix.

    Raises:
        ShapeError: it is not square.
        DataError: it is not symmetric up to rounding of its own precision, or not finite.
    """
    wide = matrix(name, table)
    if wide.shape[0] != wide.shape[1]:
        raise ShapeError(f"'{name}' needs to be square, got shape {tuple(table.shape)}.")
    # A product of two matrices is symmetric up to the rounding of its sums.
    slack = 100 * torch.finfo(table.dtype).eps if table.is_floating_point() else 0.0
    if float((wide - wide.T).abs().max()) > slack * float(wide.abs().max()):
        raise DataError(f"'{name}' needs to be symmetric; pass (M + M.T) / 2 if that is meant.")
    half: Tensor = (wide + wide.T) / 2
    return half


def finite(name: str, tensor: Tensor, device: str | torch.device = "cpu") -> Tensor:
    """A detached float64 copy on a device.

    Raises:
        DataError: it holds NaN, infinite or complex values.
    """
    if tensor.is_complex():
        raise DataError(f"'{name}' holds complex values; pass real ones.")
    wide = tensor.detach().to(device, torch.float64, copy=True)
    if not bool(wide.isfinite().all()):
        raise DataError(f"'{name}' holds NaN or infinite values; check where it comes from.")
    return wide


def check_width(name: str, table: Tensor, width: int, of: str) -> None:
    """Nothing, if the last axis of a table is as wide as another's.

    Raises:
        ShapeError: it is not.
    """
    if table.shape[-1] != width:
        raise ShapeError(
            f"'{name}' needs the width {width} of '{of}', got shape {tuple(table.shape)}."
        )


def check_equal(left: str, left_size: int, right: str, right_size: int, axis: str) -> None:
    """Nothing, if the named axis is equally long in both arguments.

    Raises:
        ShapeError: it is not.
    """
    if left_size != right_size:
        raise ShapeError(
            f"'{left}' and '{right}' need the same {axis}, got {left_size} and {right_size}."
        )


def check_at_least(name: str, size: int, smallest: int, axis: str, reason: str) -> None:
    """Nothing, if an axis is long enough for what is measured along it.

    Raises:
        ShapeError: it is shorter; the message says what it is needed for.
    """
    if size < smallest:
        raise ShapeError(f"'{name}' needs at least {smallest} {axis} {reason}, got {size}.")


def several(name: str, tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """The tensors one by one.

    Raises:
        ShapeError: it is a single number.
    """
    if isinstance(tensors, Tensor) and tensors.ndim == 0:
        raise ShapeError(f"'{name}' needs one tensor after the other, got a single number.")
    yield from tensors


def centre(rows: Tensor) -> Tensor:
    """The rows less their mean (first axis); exactly zero where all rows are alike.

    The first row is taken off before the mean: a mean alone is rounded, and the remainders of
    equal rows would then pass for variance.

    >>> centre(torch.full((3, 1), 0.1, dtype=torch.float64)).flatten().tolist()
    [0.0, 0.0, 0.0]
    """
    moved = rows - rows[:1]
    return moved - moved.mean(0)


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
    _check_as_wide(tokens, shift, name)
    return finite(name, shift)


def position_codes(tokens: Tensor, codes: Tensor, name: str = "codes") -> Tensor:
    """The codes as a detached float64 matrix, one row a position, as wide as the tokens.

    Raises:
        ShapeError: it is not a matrix, it is empty, or its width is another one.
        DataError: it holds NaN, infinite or complex values.
    """
    checked = token_table(codes, name)
    _check_as_wide(tokens, codes, name)
    return checked


def _check_as_wide(tokens: Tensor, other: Tensor, name: str) -> None:
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
