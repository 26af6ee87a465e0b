"""What must hold of features before anything is measured on them."""

from __future__ import annotations

from torch import Tensor

from orthogan.errors import ShapeError


def check_same_width(left: Tensor, right: Tensor) -> None:
    """Nothing, if the last axes of both are equally long.

    Raises:
        ShapeError: they are not, so the features are not the same ones.
    """
    if left.shape[-1] != right.shape[-1]:
        raise ShapeError(
            f"Both sets need the same features (last axis): {left.shape[-1]} != {right.shape[-1]}."
        )
