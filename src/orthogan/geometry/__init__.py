"""Pure mathematics on tensors: frames and whitening; knows nothing of networks."""

from orthogan.geometry.frames import (
    coefficients,
    dual_basis,
    gram,
    mahalanobis_products,
    place_positions,
    placement,
)
from orthogan.geometry.whitening import Whitening, whiten

__all__ = [
    "Whitening",
    "coefficients",
    "dual_basis",
    "gram",
    "mahalanobis_products",
    "place_positions",
    "placement",
    "whiten",
]
