"""What must hold of features before anything is measured on them."""

from __future__ import annotations

from torch import Tensor

from orthogan.errors import DataError, ShapeError


def check_same_width(left: Tensor, right: Tensor) -> None:
    """Nothing, if the last axes of both are equally long.

    Raises:
        ShapeError: they are not, so the features are not the same ones.
    """
    if left.shape[-1] != right.shape[-1]:
        raise ShapeError(
            f"Both sets need the same features (last axis): {left.shape[-1]} != {right.shape[-1]}."
        )


def check_finite(*sets: Tensor) -> None:
    """Nothing, if every feature is a number.

    Raises:
        DataError: one is NaN or infinite.
    """
    if not all(bool(features.isfinite().all()) for features in sets):
        raise DataError("Features hold NaN or infinite values; check the images they came from.")
