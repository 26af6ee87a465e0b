"""Changes of a table of position codes that remove identity flips, and what each one costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import ConfigError, UnknownNameError
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.flip_count import FlipCount, Progress
from orthogan.geometry.identity.recovery import linear_r2
from orthogan.geometry.inputs import answer_dtype, binary_scale, position_codes, token_table
from orthogan.geometry.positions.alignment import place_positions
from orthogan.geometry.positions.common_shift import mean_code

CARRIED = 0.9  # share of the token variance whose directions a projection clears by default
INSIDE = 1 - 1e-6  # of the tolerance: rounding of the scaled codes must not cross the boundary


@dataclass(frozen=True)
class Correction:
    """One change of the codes, and what it does.

    Attributes:
        name: `scale`, `remove-mean`, `rotate` or `project`.
        codes: The changed codes, to be put in the place of the old ones.
        before: Census of the given codes.
        after: Census of the changed codes.
        token_r2: Share of the tokens' variance that the best linear probe of sums predicts,
            before and after.
        position_r2: The same for the codes.
        energy_kept: Sum of squares of the changed codes over that of the given ones.
    """

    name: str
    codes: Tensor
    before: FlipCount
    after: FlipCount
    token_r2: tuple[float, float]
    position_r2: tuple[float, float]
    energy_kept: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, without the codes; `json.dumps` takes it."""
        return {
            "name": self.name,
            "flips": [self.before.flips, self.after.flips],
            "kept": [self.before.kept, self.after.kept],
            "token_r2": list(self.token_r2),
            "position_r2": list(self.position_r2),
            "energy_kept": self.energy_kept,
        }


def scaled_codes(tokens: Tensor, codes: Tensor) -> Tensor:
    """The codes shortened by one factor, just enough that nothing flips; as given if nothing does.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.

    >>> scaled_codes(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0]])).round(decimals=4)
    tensor([[0.5000]])
    """
    return _shortened(codes, count_flips(tokens, codes, keep=1).tolerance)


def projected_codes(tokens: Tensor, codes: Tensor, num_directions: int | None = None) -> Tensor:
    """The codes without their part in the leading principal directions of the tokens.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position.
        num_directions: How many directions are cleared; None: the fewest that carry 90 % of the
            tokens' variance.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.
        ConfigError: fewer than 0 directions, or more than the width.

    >>> tokens = torch.tensor([[-2.0, 0.1], [0.0, -0.2], [2.0, 0.1]])
    >>> projected_codes(tokens, torch.tensor([[1.0, 1.0]]), 1).abs().round(decimals=3)
    tensor([[0., 1.]])
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    width = table.shape[1]
    if num_directions is not None and not 0 <= num_directions <= width:
        raise ConfigError(f"'num_directions' must lie in 0..{width}, got {num_directions}.")
    scaled = table * binary_scale(table)
    centred = scaled - scaled.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    if num_directions is None:
        carried = values.flip(0).clamp_min(0).cumsum(0)
        num_directions = int((carried < CARRIED * carried[-1]).sum()) + int(carried[-1] > 0)
    leading = vectors[:, width - num_directions :]
    left: Tensor = shifts - (shifts @ leading) @ leading.T
    return left.to(answer_dtype(codes, tokens))


CHANGES: dict[str, Callable[[Tensor, Tensor, FlipCount], Tensor]] = {
    "scale": lambda _, codes, before: _shortened(codes, before.tolerance),
    "remove-mean": lambda _, codes, before: mean_code(codes).centred,  # noqa: ARG005
    "rotate": lambda tokens, codes, before: place_positions(codes, tokens),  # noqa: ARG005
    "project": lambda tokens, codes, before: projected_codes(tokens, codes),  # noqa: ARG005
}


def compare_corrections(
    tokens: Tensor,
    codes: Tensor,
    changes: Sequence[str] = tuple(CHANGES),
    *,
    progress: Progress | None = None,
) -> tuple[Correction, ...]:
    """Each change of the codes with the flips before and after, and what can still be read.

    Euclidean decision rule; every count is exact.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position.
        changes: Any of `scale` (one factor on all codes, until nothing flips), `remove-mean`,
            `rotate` (`place_positions`) and `project` (`projected_codes`).
        progress: Called with (work done, work in all) of each count, in tokens, now and then.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.
        UnknownNameError: no such change.

    >>> found = compare_corrections(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0]]), ["scale"])
    >>> found[0].before.flips, found[0].after.flips
    (1, 0)
    """
    for name in changes:
        if name not in CHANGES:
            raise UnknownNameError("change", name, CHANGES)
    before = count_flips(tokens, codes, progress=progress)
    read_before = linear_r2(tokens, codes)
    energy = float(codes.double().square().sum())
    found = []
    for name in changes:
        changed = CHANGES[name](tokens, codes, before)
        read = linear_r2(tokens, changed)
        left = float(changed.double().square().sum())
        found.append(
            Correction(
                name=name,
                codes=changed,
                before=before,
                after=count_flips(tokens, changed, progress=progress),
                token_r2=(read_before[0], read[0]),
                position_r2=(read_before[1], read[1]),
                energy_kept=left / energy if energy else 1.0,
            )
        )
    return tuple(found)


def _shortened(codes: Tensor, tolerance: float | None) -> Tensor:
    if tolerance is None or tolerance >= 1:
        return codes.to(answer_dtype(codes))
    return (codes.double() * (INSIDE * tolerance)).to(answer_dtype(codes))
