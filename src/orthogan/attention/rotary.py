"""Rotary codes: queries and keys turned by their position on a line, a grid or a torus."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.attention.positions import SINUSOID_BASE
from orthogan.attention.relative import RelativePositions
from orthogan.errors import ConfigError, ShapeError
from orthogan.shapes import Key, PositionedKey, PositionedQuery, Query


def line_coordinates(length: int) -> Tensor:
    """Coordinates of a sequence: `length 1`.

    >>> line_coordinates(3).tolist()
    [[0], [1], [2]]
    """
    return torch.arange(length)[:, None]


def grid_coordinates(rows: int, cols: int) -> Tensor:
    """Coordinates (row, col) of a grid, read row by row: `rows*cols 2`.

    >>> grid_coordinates(2, 2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return torch.cartesian_prod(torch.arange(rows), torch.arange(cols)).reshape(-1, 2)


class Rotary(RelativePositions):
    r"""Queries and keys turned by their position: $q_t^\top R_{s-t} k_s$, displacing nothing.

    Each pair of coordinates is one plane, turned by $\omega s$; axes of a grid share the planes
    evenly. Products depend on the offset of two positions alone.

    Args:
        coordinates: Integer position of each token, `T A`: one column an axis. Shorter sequences
            take the first of them.
        key_size: Key size a head; divisible by twice the number of axes.
        context_coordinates: Of the context in cross-attention; None means `coordinates`.
        base: The slowest plane turns about this many times slower than the fastest.
        periods: Length of each axis of a torus; its planes then turn by harmonics
            $2 \pi m / n$, so that a shift around the torus changes no product. None: a plane.

    Raises:
        ShapeError: the coordinates are not integers `T A`, or have different axes.
        ConfigError: the key size cannot be shared, or there is not one positive period an axis.

    Source: Su et al. 2021, "RoFormer", equation 15; axial in two dimensions as in Heo et al. 2024.

    >>> rotary = Rotary(line_coordinates(3), key_size=2)
    >>> query, _ = rotary(torch.tensor([1.0, 0.0]).expand(1, 1, 3, 2), torch.zeros(1, 1, 3, 2))
    >>> query[0, 0, 1]
    tensor([0.5403, 0.8415])
    """

    moves_keys = True

    coordinates: Tensor
    context_coordinates: Tensor

    def __init__(
        self,
        coordinates: Tensor,
        key_size: int,
        context_coordinates: Tensor | None = None,
        base: float = SINUSOID_BASE,
        periods: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        context = coordinates if context_coordinates is None else context_coordinates
        for name, places in (("coordinates", coordinates), ("context_coordinates", context)):
            _check_coordinates(name, places, coordinates.shape[-1])
        num_axes = coordinates.shape[-1]
        if key_size < 1 or key_size % (2 * num_axes):
            raise ConfigError(
                f"A rotary code of {num_axes} axes needs a key size a head divisible by "
                f"{2 * num_axes}, got {key_size}."
            )
        if periods is not None and (len(periods) != num_axes or min(periods) < 1):
            raise ConfigError(f"'periods' holds {num_axes} positive lengths, got {periods}.")
        if not base > 0:
            raise ConfigError(f"The base of a rotary code is positive, got {base}.")
        self.key_size, self.base, self.periods = key_size, base, periods
        # Integers: no change of the module's precision can round them.
        self.register_buffer("coordinates", coordinates, persistent=False)
        self.register_buffer("context_coordinates", context, persistent=False)

    def forward(self, query: Query, key: Key) -> tuple[PositionedQuery, PositionedKey]:
        """Both turned, each by its own positions.

        Raises:
            ShapeError: more tokens than coordinates, or another key size.
        """
        return self._turn(query, self.coordinates), self._turn(key, self.context_coordinates)

    def angles(self, coordinates: Tensor) -> Tensor:
        """Angle of each plane at each position in radians, float64, `T K/2`."""
        num_axes = coordinates.shape[-1]
        order = torch.arange(
            self.key_size // 2 // num_axes, device=coordinates.device, dtype=torch.float64
        )
        if self.periods is None:
            rates = (self.base ** -(order / len(order))).expand(num_axes, -1)
        else:
            lengths = torch.tensor(self.periods, device=coordinates.device)[:, None]
            # Harmonics beyond half the period repeat the lower ones.
            rates = 2 * math.pi * (1 + order % (lengths // 2).clamp_min(1)) / lengths
        return (coordinates.unsqueeze(-1) * rates).flatten(1)

    def _turn(self, vectors: Tensor, coordinates: Tensor) -> Tensor:
        num_tokens, size = vectors.shape[-2:]
        if num_tokens > len(coordinates) or size != self.key_size:
            raise ShapeError(
                f"A rotary code for {len(coordinates)} tokens and key size {self.key_size} a head "
                f"met {num_tokens} tokens of key size {size}."
            )
        # In float64 until the end: an angle of 1000 rad in float32 is off by 1e-4.
        angles = self.angles(coordinates[:num_tokens])
        cosine, sine = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
        even, odd = vectors.unflatten(-1, (-1, 2)).unbind(-1)
        turned = (even * cosine - odd * sine, even * sine + odd * cosine)
        return torch.stack(turned, dim=-1).flatten(-2)


def _check_coordinates(name: str, coordinates: Tensor, num_axes: int) -> None:
    is_integer = not (coordinates.is_floating_point() or coordinates.is_complex())
    if coordinates.dim() != 2 or 0 in coordinates.shape or not is_integer:
        raise ShapeError(
            f"'{name}' needs integers of shape (tokens, axes), got {coordinates.dtype} of shape "
            f"{tuple(coordinates.shape)}."
        )
    if coordinates.shape[-1] != num_axes:
        raise ShapeError(
            f"'{name}' needs {num_axes} axes like 'coordinates', got {coordinates.shape[-1]}."
        )
