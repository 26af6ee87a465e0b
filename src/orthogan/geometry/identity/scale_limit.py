"""How long codes may be so that no more than a share of the pairs changes identity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.decision_rules import decision_rule
from orthogan.geometry.identity.flip_count import FlipCount
from orthogan.geometry.identity.margins import boundaries_of
from orthogan.geometry.identity.recovery import linear_r2
from orthogan.geometry.inputs import answer_dtype, binary_scale, position_codes, token_table
from orthogan.rng import stream

SAMPLED_PAIRS = 10_000  # a share of 1 % is then known to a tenth, the factor to a few per cent
DOUBTS = 2.0  # standard errors of the sampled share that the first factor keeps below the aim
STEP_DOWN = 0.95  # factor on the factor, each time an exact count is above the aim
ROWS = 64  # 64 x 20,000 float64 values are 10 MB


@dataclass(frozen=True)
class ScaleLimit:
    """Codes made short enough, and what that costs.

    Attributes:
        name: What was done to the codes before they were shortened.
        share: Share of the pairs that may change identity.
        factor: What the codes are multiplied by; 1 if they were short enough.
        codes: The codes times the factor.
        flip_count: Exact count with these codes.
        token_r2: Share of the tokens' variance that the best linear probe of sums predicts.
        position_r2: The same for the codes: what a linear probe of positions still gets.
    """

    name: str
    share: float
    factor: float
    codes: Tensor
    flip_count: FlipCount
    token_r2: float
    position_r2: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, without the codes; `json.dumps` takes it."""
        return {
            "name": self.name,
            "share": self.share,
            "factor": self.factor,
            "kept": self.flip_count.kept,
            "flips": self.flip_count.flips,
            "token_r2": self.token_r2,
            "position_r2": self.position_r2,
        }


def shorten_to(
    tokens: Tensor, codes: Tensor, share: float = 0.01, *, name: str = "scale", seed: int = 0
) -> ScaleLimit:
    r"""The codes shortened until no more than `share` of all pairs changes identity.

    A pair (i, t) flips beyond the factor
    $\lambda_{it} = \min_j \{g_{ij} / \langle p_t, e_j - e_i \rangle :
    \langle p_t, e_j - e_i \rangle > 0\}$. The quantile of these factors in a sample of pairs is
    tried first, a little below; an exact count of all pairs confirms it, or it goes down by 5 %.
    Euclidean decision rule. The factor is near the largest one that would do, not that one itself.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position.
        share: Share of the pairs that may flip, above 0 and below 1.
        name: What the result is called.
        seed: Of the sample.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.
        ConfigError: the share is out of range.

    Source: g_ij - lambda <p, e_j - e_i> is linear in lambda; see `tolerance`.

    >>> found = shorten_to(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0]]), 0.4)
    >>> found.flip_count.flips, round(found.factor, 3)
    (0, 0.25)
    """
    if not 0 < share < 1:
        raise ConfigError(f"'share' must lie between 0 and 1, got {share}.")
    factors = critical_factors(tokens, codes, SAMPLED_PAIRS, seed)
    factor = _first_factor(factors, share, whole=len(factors) == len(tokens) * len(codes))
    while True:
        shortened = (factor * codes.double()).to(answer_dtype(codes))
        counted = count_flips(tokens, shortened)
        if counted.kept >= 1 - share:
            break
        factor *= STEP_DOWN
    token_r2, position_r2 = linear_r2(tokens, shortened)
    return ScaleLimit(name, share, factor, shortened, counted, token_r2, position_r2)


def critical_factors(
    tokens: Tensor, codes: Tensor, num_pairs: int = SAMPLED_PAIRS, seed: int = 0
) -> Tensor:
    """The factors on the code beyond which pairs flip: of all pairs, or of a sample of them.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position.
        num_pairs: At least as many as there are: every pair once. Fewer: so many are drawn
            uniformly with replacement.
        seed: Of the draw.

    Returns:
        Float64, ascending; infinite where no length flips the pair.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.
        ConfigError: `num_pairs` is below 1.

    >>> critical_factors(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0]]))
    tensor([0.2500,    inf], dtype=torch.float64)
    """
    if num_pairs < 1:
        raise ConfigError(f"'num_pairs' must be at least 1, got {num_pairs}.")
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    scale = binary_scale(table, shifts)
    reader = decision_rule("euclidean", table, None, scale)
    centred = reader.directions - reader.directions.mean(0)
    shifts, total = shifts * scale, len(table) * len(shifts)
    if num_pairs >= total:
        drawn = torch.arange(total)
    else:
        drawn = torch.from_numpy(stream(seed, "critical-factors").integers(total, size=num_pairs))
    factors = []
    for pairs in drawn.split(ROWS):
        boundaries = boundaries_of(
            reader, pairs // len(shifts), shifts[pairs % len(shifts)], centred
        )
        factors.append(boundaries.tolerances())
    return torch.cat(factors).sort().values


def best_scale_limit(found: Sequence[ScaleLimit]) -> ScaleLimit | None:
    """The one that leaves a linear probe most of the positions; None if there are none."""
    return max(found, key=lambda one: one.position_r2, default=None)


def _first_factor(factors: Tensor, share: float, *, whole: bool) -> float:
    """A little less than the quantile: what sampling may have missed is kept below the aim."""
    n = len(factors)
    allowed = share * n - (0 if whole else DOUBTS * math.sqrt(share * (1 - share) * n))
    at = float(factors[max(0, math.floor(allowed))])
    return 1.0 if at >= 1 else at * (1 - 1e-6)
