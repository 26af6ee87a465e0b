"""Labels of any kind as classes 0, 1, 2, ... with names."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.errors import DataError
from orthogan.shapes import Labels


def classes(values: NDArray[Any], num_images: int, name: str) -> tuple[Labels, tuple[str, ...]]:
    """One class index per image, and the class names in sorted order of their values.

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
    known, index = np.unique(values, return_inverse=True)
    return torch.from_numpy(index.astype(np.int64)), tuple(str(value) for value in known)
