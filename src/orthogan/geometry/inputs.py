"""What must hold of a tensor before anything is measured on it."""

from __future__ import annotations

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
