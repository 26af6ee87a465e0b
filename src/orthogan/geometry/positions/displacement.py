r"""A position code as a translation of tokens: how far along, how far across, how much it turns.

Two different dot products are at work. $\langle p, e_i \rangle$ splits the move of token i into
rescaling (along the token) and turning (across it). $\langle p, e_j - e_i \rangle$ decides whether
token i comes to lie nearer to token j; `identity` deals with that one. Either may vanish without
the other, and any $p \ne 0$ translates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.inputs import (
    answer_dtype,
    check_directions,
    displacement,
    position_codes,
    token_table,
)
from orthogan.shapes import Angles, Codes, Table


@dataclass(frozen=True)
class Displacement:
    """What one displacement does to every token.

    Attributes:
        along: Signed length of the displacement along the token, embedding units.
        across: Length of the part perpendicular to the token, embedding units.
        turn: Angle between the token before and after, radians in [0, pi].
        length: Length of the token before, embedding units.
    """

    along: Tensor
    across: Tensor
    turn: Tensor
    length: Tensor


def split_displacement(tokens: Tensor, shift: Tensor) -> Displacement:
    r"""How one displacement splits at every token, and the angle it turns the token by.

    $\alpha = \langle p, \hat e \rangle$, $p_\perp = p - \alpha \hat e$,
    $\tan\theta = \|p_\perp\| / (\|e\| + \alpha)$

    The turn is 0 iff $p$ is parallel to $e$ with $\alpha > -\|e\|$. A displacement that takes the
    token to the origin leaves no direction; its turn is then given as 0.

    Args:
        tokens: Embedding table, one row a token.
        shift: Displacement added to every token.

    Returns:
        One value a token in each field.

    Raises:
        ShapeError: not a matrix and a vector of one width.
        DataError: a value is not finite, or a token is zero and has no direction.

    Source: the triangle 0, e, e + p; its legs along and across e are |e| + alpha and |p_perp|.

    >>> found = split_displacement(torch.tensor([[3.0, 0.0]]), torch.tensor([1.0, 4.0]))
    >>> found.along, found.across, found.turn
    (tensor([1.]), tensor([4.]), tensor([0.7854]))
    """
    table, moved = token_table(tokens), displacement(tokens, shift)
    check_directions(table)
    scale = table.abs().amax(1, keepdim=True)  # squares of the scaled rows cannot overflow
    unit = table / scale
    norm = torch.linalg.vector_norm(unit, dim=1)
    length = norm * scale[:, 0]
    unit = unit / norm[:, None]
    along = unit @ moved
    across = torch.linalg.vector_norm(moved - along[:, None] * unit, dim=1)
    turn = torch.atan2(across, length + along)
    dtype = answer_dtype(tokens, shift)
    return Displacement(along.to(dtype), across.to(dtype), turn.to(dtype), length.to(dtype))


def turns(tokens: Table, codes: Codes) -> Angles:
    """The angle by which each code turns each token, radians, tokens x positions.

    Args:
        tokens: Embedding table, one row a token, none of them zero.
        codes: Position codes, one row a position.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite, or a token is zero and has no direction.

    Source: `split_displacement`, for all codes.

    >>> turns(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 4.0], [2.0, 0.0]]))
    tensor([[0.7854, 0.0000]])
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    every = [split_displacement(table, shift).turn for shift in shifts]
    return torch.stack(every, dim=1).to(answer_dtype(tokens, codes))


def largest_turn(length: float, radius: float) -> float:
    r"""The largest angle, in radians, that a displacement of length `radius` turns a token by.

    $\arcsin(r / \|e\|)$ for $r < \|e\|$, reached at $\cos(e, p) = -r / \|e\|$ and not at
    $p \perp e$, which turns by $\arctan(r / \|e\|)$ only. From $r = \|e\|$ on there is no maximum:
    the angle comes as near as one likes to $\pi/2$ at equality, and reaches $\pi$ beyond it.

    Args:
        length: Length of the token, positive.
        radius: Length of the displacement, 0 or more.

    Raises:
        ConfigError: a length is not finite or out of range.

    Source: the tangent from the origin to the sphere of radius r around e.

    >>> round(largest_turn(2.0, 1.0), 6) == round(math.pi / 6, 6)
    True
    """
    _check_lengths(length, radius)
    if radius > length:
        return math.pi
    return math.asin(radius / length)


def _check_lengths(length: float, radius: float) -> None:
    if not (math.isfinite(length) and length > 0):
        raise ConfigError(f"'length' must be positive and finite, got {length}.")
    if not (math.isfinite(radius) and radius >= 0):
        raise ConfigError(f"'radius' must be 0 or more and finite, got {radius}.")
