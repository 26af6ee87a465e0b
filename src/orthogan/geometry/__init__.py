"""Geometry of token tables: what a displacement does to them. Pure functions on tensors."""

from orthogan.geometry.alignment import opposite_rotation, place_positions
from orthogan.geometry.census import census
from orthogan.geometry.census_result import Census, Flip
from orthogan.geometry.coincide import Coincidence
from orthogan.geometry.controls import (
    CONTROLS,
    isotropic_codes,
    random_safe_length,
    rotated_codes,
    sinusoids_like,
)
from orthogan.geometry.displacement import (
    Displacement,
    largest_turn,
    most_turning_cosine,
    split_displacement,
)
from orthogan.geometry.identity import identity_margin, is_perpendicular, safe_radius, tolerance
from orthogan.geometry.mean_code import MeanCode, mean_code
from orthogan.geometry.prescribe import Prescription, prescribe, projected_codes, scaled_codes
from orthogan.geometry.readers import READERS
from orthogan.geometry.recover import Recovery, linear_r2, principal_angles, recover
from orthogan.geometry.sinusoids import (
    code_product,
    first_near_return,
    frequencies,
    periods,
    shift_rotation,
    sinusoids,
)

__all__ = [
    "CONTROLS",
    "READERS",
    "Census",
    "Coincidence",
    "Displacement",
    "Flip",
    "MeanCode",
    "Prescription",
    "Recovery",
    "census",
    "code_product",
    "first_near_return",
    "frequencies",
    "identity_margin",
    "is_perpendicular",
    "isotropic_codes",
    "largest_turn",
    "linear_r2",
    "mean_code",
    "most_turning_cosine",
    "opposite_rotation",
    "periods",
    "place_positions",
    "prescribe",
    "principal_angles",
    "projected_codes",
    "random_safe_length",
    "recover",
    "rotated_codes",
    "safe_radius",
    "scaled_codes",
    "shift_rotation",
    "sinusoids",
    "sinusoids_like",
    "split_displacement",
    "tolerance",
]
