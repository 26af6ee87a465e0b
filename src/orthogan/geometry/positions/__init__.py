"""Position codes as vectors: sinusoids, controls, placement, and how they displace tokens."""

from orthogan.geometry.positions.alignment import place_positions
from orthogan.geometry.positions.common_shift import MeanCode, mean_code
from orthogan.geometry.positions.controls import (
    CONTROLS,
    isotropic_codes,
    random_safe_length,
    rotated_codes,
    sinusoids_like,
)
from orthogan.geometry.positions.displacement import (
    Displacement,
    largest_turn,
    split_displacement,
    turns,
)
from orthogan.geometry.positions.repeats import CodeRepeats, code_repeats
from orthogan.geometry.positions.sinusoidal import (
    code_product,
    first_near_return,
    frequencies,
    shift_rotation,
    sinusoids,
)

__all__ = [
    "CONTROLS",
    "CodeRepeats",
    "Displacement",
    "MeanCode",
    "code_product",
    "code_repeats",
    "first_near_return",
    "frequencies",
    "isotropic_codes",
    "largest_turn",
    "mean_code",
    "place_positions",
    "random_safe_length",
    "rotated_codes",
    "shift_rotation",
    "sinusoids",
    "sinusoids_like",
    "split_displacement",
    "turns",
]
