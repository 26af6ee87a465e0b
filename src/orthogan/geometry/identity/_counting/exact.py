"""Does one token beat another at a displaced place: decided without a rounding error.

First in float64 with a bound on its rounding; what the bound leaves open is decided in integers
(every float is an integer times a power of two).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orthogan.geometry.identity.decision_rules import DecisionRule

BLOCK = 4096  # questions at a time: 4096 x 768 float64 values are 25 MB
ROUNDING = 2.0**-53
TINY = 1e-280  # far above what underflow of scaled entries can lose


def beats(
    rule: DecisionRule, codes: Tensor, first: Tensor, second: Tensor, position: Tensor
) -> Tensor:
    """Whether token `second` is strictly better than `first` at `first` plus the code.

    Args:
        rule: The decision rule, in float64.
        codes: Position codes in float64, in the same scale.
        first: Index of the displaced token, one a question.
        second: Index of the other token.
        position: Index of the code.
    """
    answers = [torch.zeros(0, dtype=torch.bool)]
    for i, j, t in zip(first.split(BLOCK), second.split(BLOCK), position.split(BLOCK), strict=True):
        value, error = _value(rule, codes, i, j, t)
        won = value > 0
        for place in (value.abs() <= error).nonzero().flatten().tolist():
            won[place] = _beats_in_integers(rule, codes[t[place]], int(i[place]), int(j[place]))
        answers.append(won)
    return torch.cat(answers)


def _value(
    rule: DecisionRule, codes: Tensor, i: Tensor, j: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """By how much j wins, and a bound on the rounding of that."""
    code, token = codes[t], rule.tokens[i]
    apart = rule.directions[j] - rule.directions[i]
    if rule.name == "euclidean":  # <p, d> - |d|^2 / 2 with d the difference
        value = (apart * (code - apart / 2)).sum(1)
        size = (apart.abs() * (code.abs() + apart.abs())).sum(1)
    else:
        value = ((token + code) * apart).sum(1) + (rule.offsets[j] - rule.offsets[i])
        reach = rule.directions[j].abs() + rule.directions[i].abs()
        size = ((token.abs() + code.abs()) * reach).sum(1)
        size += rule.offsets[j].abs() + rule.offsets[i].abs()
    # One rounding for each of D products and sums, and a few for the factors (unit vectors
    # carry the rounding of their norm, which is itself a sum of D squares).
    steps = 4 * code.shape[1] + 32
    return value, steps * ROUNDING * size + TINY


def _beats_in_integers(rule: DecisionRule, code: Tensor, i: int, j: int) -> bool:
    (own, other, step), exponent = integers(rule.tokens[i], rule.tokens[j], code)
    apart = other - own
    if rule.name == "euclidean":
        return bool((apart * (2 * step - apart)).sum() > 0)
    place = own + step
    if rule.name == "logits":
        excess = int((place * apart).sum()) * Fraction(2) ** (2 * exponent)
        return excess + Fraction(float(rule.bias[j])) > Fraction(float(rule.bias[i]))
    # Cosines: compare <x, e_j> |e_i| with <x, e_i> |e_j| by their signed squares.
    theirs, mine = int((place * other).sum()), int((place * own).sum())
    left = theirs * abs(theirs) * int((own * own).sum())
    return left > mine * abs(mine) * int((other * other).sum())


def integers(*vectors: Tensor) -> tuple[list[Any], int]:
    """Python integers m and one exponent k with every entry equal to m * 2**k exactly."""
    stacked = torch.stack(vectors).numpy()
    fraction, power = np.frexp(stacked)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    exponent = power.astype(np.int64) - 53
    present = mantissa != 0
    lowest = int(exponent[present].min()) if present.any() else 0
    shift = np.where(present, exponent - lowest, 0)
    return list(mantissa.astype(object) << shift.astype(object)), lowest
