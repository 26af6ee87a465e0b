"""Labels of any kind as classes 0, 1, 2, ... with names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.errors import DataError
from orthogan.shapes import Labels
from orthogan.untrusted import text_of

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_DIGITS = re.compile(r"([0-9]+)")


def classes(values: NDArray[Any], num_images: int, name: str) -> tuple[Labels, tuple[str, ...]]:
    """One class index per image, and the class names in the order of `in_order`.

    Args:
        values: One integer, truth value or text per image; a second axis of length 1 is dropped.
        num_images: How many images they belong to.
        name: Where they come from, for the message.

    Raises:
        DataError: another count, another shape, or values that are no classes.

    >>> classes(np.array([7, 9, 7]), 3, "demo")
    (tensor([0, 1, 0]), ('7', '9'))
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iubU":
        raise DataError(
            f"{name}: labels are one whole number or text per image, "
            f"got {values.dtype} of shape {values.shape}."
        )
    if len(values) != num_images:
        raise DataError(
            f"{name}: one label per image is needed, got {len(values)} labels for "
            f"{num_images} images."
        )
    if values.dtype.kind == "U":
        return named_classes(text_of(values, name))
    known, index = np.unique(values, return_inverse=True)
    return torch.from_numpy(index.astype(np.int64)), tuple(str(value) for value in known)


def named_classes(labels: Sequence[str]) -> tuple[Labels, tuple[str, ...]]:
    """The index of the class of each image, and the class names in the order of `in_order`.

    >>> named_classes(["10", "2", "10"])
    (tensor([1, 0, 1]), ('2', '10'))
    """
    # Half of a surrogate pair, as in names of files that are no UTF-8, could not be written down.
    plain = {name: name.encode("utf-8", "backslashreplace").decode() for name in set(labels)}
    names = in_order(set(plain.values()))
    place = {name: number for number, name in enumerate(names)}
    index = {label: place[name] for label, name in plain.items()}
    return torch.tensor([index[label] for label in labels], dtype=torch.int64), names


def in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted, the same wherever they come from.

    Where all are numbers, by their value; else as text in which digits count as one number.

    >>> in_order({"10", "-1", "2"}), in_order({"shape 10", "shape 2", "none"})
    (('-1', '2', '10'), ('none', 'shape 2', 'shape 10'))
    """
    if all(_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(names, key=lambda name: (Decimal(name), name)))
    return tuple(sorted(names, key=_natural))


def _natural(name: str) -> tuple[list[tuple[str, int, str]], str]:
    """Text, then number, then text again; a number by its length, then its digits."""
    parts = _DIGITS.split(name)
    digits = [part.lstrip("0") for part in parts[1::2]] + [""]
    return [
        (text, len(number), number) for text, number in zip(parts[::2], digits, strict=True)
    ], name
