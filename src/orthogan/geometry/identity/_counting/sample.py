"""An exact count of some pairs drawn at random, with the interval that this leaves."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.duplicates import Duplicates
from orthogan.geometry.identity._counting.exact import beats
from orthogan.geometry.identity.decision_rules import DecisionRule
from orthogan.geometry.identity.flip_count import Flip, FlipCount
from orthogan.geometry.identity.margins import Boundaries, boundaries_of
from orthogan.rng import stream
from orthogan.statistics import share_interval

ROWS = 64  # 64 x 30,000 float64 values are 15 MB
ROUNDING = 1e-9  # relative size of an excess below which float64 products do not decide


def sampled_count(
    rule: DecisionRule,
    codes: Tensor,
    same: Duplicates,
    size: int,
    seed: int,
    keep: int,
    scale: float,
) -> FlipCount:
    """The exact count of `size` pairs drawn uniformly with replacement.

    Args:
        rule: The decision rule of the scaled table without its duplicates.
        codes: The codes in the same scale.
        same: The collisions of the table.
        size: How many pairs are drawn.
        seed: Of the draw.
        keep: How many of the worst flips are kept.
        scale: What the given table was multiplied by.
    """
    num_tokens, num_positions = len(same.kind), len(codes)
    draws = stream(seed, "census").integers(num_tokens * num_positions, size=size)
    drawn = torch.from_numpy(draws)
    tokens, positions = drawn // num_positions, drawn % num_positions
    centred = rule.directions - rule.directions.mean(0)
    lost, certified, worst = [], 0, []
    for token, t in zip(tokens.split(ROWS), positions.split(ROWS), strict=True):
        i = same.kind[token]
        boundaries = boundaries_of(rule, i, codes[t], centred)
        flips = flipped(rule, codes, boundaries, i, t)
        lost.append(flips)
        at_rest = boundaries.at_rest().margins()
        certified += int((codes[t].norm(dim=1) < at_rest).sum())
        become, margins = fates(boundaries, i)
        for k in flips.nonzero().flatten().tolist():
            other = int(same.first[become[k]])
            worst.append(Flip(int(token[k]), int(t[k]), other, float(margins[k]) / scale))
    lost_ = torch.cat(lost)
    flips_ = int(lost_.sum())
    low, high = share_interval((size - flips_) / size, size)
    chosen = sorted(set(worst), key=lambda flip: (flip.margin, flip.token, flip.position))
    return FlipCount(
        tokens=num_tokens,
        positions=num_positions,
        reader=rule.name,
        pairs=size,
        flips=flips_,
        kept=1 - flips_ / size,
        low=low,
        high=high,
        certified=certified / size,
        tolerance=None,
        flips_per_token=torch.bincount(tokens[lost_], minlength=num_tokens),
        flips_per_position=torch.bincount(positions[lost_], minlength=num_positions),
        collisions=same.groups(),
        worst_flips=tuple(chosen[:keep]),
        keep=keep,
    )


def flipped(
    rule: DecisionRule, codes: Tensor, boundaries: Boundaries, tokens: Tensor, at: Tensor
) -> Tensor:
    """Whether each token loses its identity at its position, without a rounding error."""
    excess = boundaries.projection - boundaries.score_margin
    size = boundaries.projection.abs().amax(1) + boundaries.score_margin.abs().amax(1)
    doubt = ROUNDING * size[:, None]
    lost = (excess > doubt).any(1)
    row, other = ((excess.abs() <= doubt) & ~lost[:, None]).nonzero(as_tuple=True)
    apart = other != tokens[row]
    row, other = row[apart], other[apart]
    won = beats(rule, codes, tokens[row], other, at[row])
    lost[row[won]] = True
    return lost


def fates(boundaries: Boundaries, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The best other token at each displaced place, and the margin there."""
    excess = boundaries.projection - boundaries.score_margin
    excess[torch.arange(len(rows)), rows] = -torch.inf
    return excess.argmax(1), boundaries.margins()
