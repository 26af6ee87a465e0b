"""How close the tokens come to another token's cell: exact margins of some pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.identity.decision_rules import decision_rule
from orthogan.geometry.identity.margins import boundaries_of
from orthogan.geometry.inputs import answer_dtype, binary_scale, position_codes, token_table
from orthogan.rng import stream

ROWS = 64  # 64 x 30,000 float64 values are 15 MB


@dataclass(frozen=True, eq=False)
class MarginSample:
    """Margins of (token, position) pairs drawn uniformly with replacement.

    Attributes:
        tokens: The token of each pair.
        positions: Its position.
        margins: Distance of the displaced token to its nearest cell boundary; negative beyond it,
            infinite where there is none. Embedding units.
        at_rest: The same of the token where it stands without any code.
    """

    tokens: Tensor
    positions: Tensor
    margins: Tensor
    at_rest: Tensor


def sampled_margins(
    tokens: Tensor,
    codes: Tensor,
    reader: str = "euclidean",
    *,
    num_pairs: int = 1000,
    seed: int = 0,
) -> MarginSample:
    """Margins with and without the code for some (token, position) pairs.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position, as wide as the tokens.
        reader: `euclidean`, `cosine` or `logits` (without a bias).
        num_pairs: How many pairs are drawn.
        seed: Of the draw.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite, or the cosine decision rule meets a zero token.
        UnknownNameError: no such decision rule.
        ConfigError: no pairs, or a seed out of range.

    Source: the margin is that of `identity_margin`. Not covered: how many pairs flip; `count_flips`
        counts that exactly.

    >>> found = sampled_margins(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0]]), num_pairs=3)
    >>> found.margins
    tensor([1., 1., 1.])
    """
    if num_pairs < 1:
        raise ConfigError(f"'num_pairs' must be at least 1, got {num_pairs}.")
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    scale = binary_scale(table, shifts)
    read, moves = decision_rule(reader, table, None, scale), shifts * scale
    drawn = torch.from_numpy(
        stream(seed, "margins").integers(table.shape[0] * len(moves), size=num_pairs)
    )
    which, where = drawn // len(moves), drawn % len(moves)
    centred = read.directions - read.directions.mean(0)
    moved, rest = [], []
    for i, t in zip(which.split(ROWS), where.split(ROWS), strict=True):
        boundaries = boundaries_of(read, i, moves[t], centred)
        moved.append(boundaries.margins())
        rest.append(boundaries.at_rest().margins())
    dtype = answer_dtype(tokens, codes)
    margins, at_rest = ((torch.cat(part) / scale).to(dtype) for part in (moved, rest))
    return MarginSample(which, where, margins, at_rest)
