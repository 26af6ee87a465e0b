"""How codes move the tokens of a model: how far they turn them, how long they are, and repeat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.geometry.identity import sampled_margins
from orthogan.geometry.positions import (
    CodeRepeats,
    code_repeats,
    largest_turn,
    random_safe_length,
    turns,
)
from orthogan.rng import stream

NUM_TOKENS = 500  # drawn of a longer table: a sample, and called one
NUM_CODES = 512


@dataclass(frozen=True)
class Motion:
    """What codes do to some tokens of a table, and to each other.

    Attributes:
        num_tokens: Tokens that were drawn.
        median_turn: Of the angle between a token before and after, over all pairs, degrees.
        largest: The largest of these angles.
        largest_bound: The largest angle that a code of that length could turn that token by.
        median_length: Median over pairs of the code's length over the token's safe radius, which
            is half the distance to the nearest other token.
        safe_length: The same for codes in random directions of which half flip at most, by a
            bound: about the square root of width / (2 ln tokens).
        repeats: How the codes come back to each other.
    """

    num_tokens: int
    median_turn: float
    largest: float
    largest_bound: float
    median_length: float | None
    safe_length: float | None
    repeats: CodeRepeats

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return vars(self) | {"repeats": self.repeats.to_dict()}


def motion(tokens: Tensor, codes: Tensor, seed: int = 0) -> Motion | None:
    """Turns, lengths and returns; None where every token is zero, and has no direction.

    Args:
        tokens: The table.
        codes: The codes that are added to it.
        seed: Of the tokens and positions that are drawn of longer tables.

    >>> motion(torch.eye(2), torch.tensor([[0.0, 1.0]])).largest
    45.0
    """
    # A zero token has no direction to turn from.
    some = _drawn(tokens[(tokens != 0).any(1)], NUM_TOKENS, seed)
    moved = _drawn(codes, NUM_CODES, seed)
    if not len(some):
        return None
    angles = turns(some.double(), moved.double()).rad2deg()
    token, position = divmod(int(angles.argmax()), len(moved))
    bound = largest_turn(float(some[token].double().norm()), float(moved[position].double().norm()))
    at_rest = sampled_margins(tokens, codes[:1], num_pairs=NUM_TOKENS, seed=seed).at_rest
    apart = at_rest[(at_rest > 0) & at_rest.isfinite()].double()
    lengths = moved.double().norm(dim=1)
    ratio = None if not len(apart) else float((lengths / apart[:, None]).median())
    width, count = tokens.shape[1], len(tokens)
    enough = width > 1 and count > 1
    return Motion(
        num_tokens=len(some),
        median_turn=float(angles.median()),
        largest=float(angles.max()),
        largest_bound=math.degrees(bound),
        median_length=ratio,
        safe_length=random_safe_length(1.0, width, count) if enough else None,
        repeats=code_repeats(codes),
    )


def _drawn(table: Tensor, most: int, seed: int) -> Tensor:
    if len(table) <= most:
        return table
    chosen = stream(seed, "motion").choice(len(table), most, replace=False)
    return table[torch.from_numpy(chosen).sort().values]
