"""Whether a table of position codes repeats itself: products by distance, and the first return."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.inputs import binary_scale, token_table
from orthogan.shapes import Codes

MOST_CODES = 2048  # whose products are all held: 32 MB


@dataclass(frozen=True)
class CodeRepeats:
    """How codes come back to each other.

    Attributes:
        products: Mean product of two codes at each distance from 0 on, over that at distance 0.
        by_distance: Share of the variation of all products that the distance alone explains: 1
            where moving on is one rotation for all positions, as for sinusoids.
        first_return: The first distance, beyond the first departure, at which codes come back to
            within the share of their length asked for, on average; None if they never do.
        closest: The two positions whose codes are the nearest to each other; None for one code.
        closest_distance: Their distance over the root mean square length of a code.
    """

    products: tuple[float, ...]
    by_distance: float
    first_return: int | None
    closest: tuple[int, int] | None
    closest_distance: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return asdict(self) | {"products": list(self.products)}


def code_repeats(codes: Codes, within: float = 0.2) -> CodeRepeats:
    r"""Products of codes by the distance of their positions, and the first near-return.

    At distance m the mean square of $\|p_{s+m} - p_s\|$ is compared with that of $\|p_s\|$. For
    sinusoids every pair at one distance has the same product, $\sum_k \cos \omega_k m$, and the
    answer is that of `first_near_return`.

    Args:
        codes: One row a position, in order; of a longer table the first 2,048.
        within: Share of the root mean square length that counts as back; between 0 and 2.

    Raises:
        ShapeError: not a matrix, or empty.
        DataError: a value is not finite.
        ConfigError: a share out of range.

    >>> from orthogan.geometry.positions.sinusoidal import sinusoids
    >>> code_repeats(sinusoids(40, 4)).first_return
    19
    """
    if not 0 < within < 2:
        raise ConfigError(f"'within' must lie between 0 and 2, got {within}.")
    table = token_table(codes, "codes")[:MOST_CODES]
    rows = table * binary_scale(table)
    gram = rows @ rows.T
    count, lengths = len(gram), gram.diagonal()
    energy = float(lengths.mean())
    if not energy:
        return CodeRepeats((1.0,) + (0.0,) * (count - 1), 1.0, None, None, None)
    lags = [gram.diagonal(m) for m in range(count)]
    products = tuple(float(lag.mean()) / energy for lag in lags)
    # |p - q|^2 = |p|^2 + |q|^2 - 2 <p, q>, averaged over the pairs at each distance.
    apart = [
        float((lengths[: count - m] + lengths[m:] - 2 * lag).mean()) / energy
        for m, lag in enumerate(lags)
    ]
    closest = _closest(gram)
    return CodeRepeats(
        products,
        _explained(gram, lags),
        _first_return(apart, within**2),
        None if closest is None else closest[0],
        None if closest is None else closest[1] / energy**0.5,
    )


def _explained(gram: Tensor, lags: list[Tensor]) -> float:
    total = float((gram - gram.mean()).square().sum())
    within = sum(
        (2 if m else 1) * float((lag - lag.mean()).square().sum()) for m, lag in enumerate(lags)
    )
    return 1 - within / total if total else 1.0


def _first_return(apart: list[float], near: float) -> int | None:
    departed = False
    for step, square in enumerate(apart[1:], 1):
        departed = departed or square > near
        if departed and square <= near:
            return step
    return None


def _closest(gram: Tensor) -> tuple[tuple[int, int], float] | None:
    if len(gram) < 2:
        return None
    lengths = gram.diagonal()
    squares = lengths[:, None] + lengths - 2 * gram
    squares.fill_diagonal_(torch.inf)
    first, second = divmod(int(squares.argmin()), len(gram))
    return (first, second), float(squares[first, second].clamp_min(0).sqrt())
