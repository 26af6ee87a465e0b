"""Tokens that very many others might replace: first the nearest few, then the rest in groups.

The nearest settle most positions. Another token is looked at only in a group of positions where a
bound on its pull shows that it may flip an open position, may be among the deepest flips, or may
be the first to flip if all codes grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.accumulator import Tally
from orthogan.geometry.identity._counting.guarded import GuardedScores
from orthogan.geometry.identity._counting.open_positions import settle_open
from orthogan.geometry.identity._counting.pairs import (
    Contest,
    Depths,
    depths_of_pairs,
    near_depths,
    report,
)

NEAR = 32  # near tokens; every position is looked at for each
ROWS_AT_ONCE = 64
FLOOR_ROUNDING = 1 - 1e-5


@dataclass(frozen=True)
class Stakes:
    """What another token must reach to change the result.

    Attributes:
        tolerance: It may flip first if its gap is at most this multiple of what it is pulled by.
        floor: It may be among the worst if it is beyond the wall by more than this.
        curve: Square of the distance over the gap, one a displaced token; None where gaps do not
            decide distances, so that the floor is of no use.
    """

    tolerance: float
    floor: float
    curve: Tensor | None

    def matter(self, rows: Tensor, gap: Tensor, peak: Tensor, trough: Tensor) -> Tensor:
        """Whether another token may be the deepest or the first to flip, as far as bounds tell.

        Args:
            rows: Place of the displaced token among those at hand.
            gap: Lower bounds of the gaps.
            peak: Upper bounds of the other token's pulls at some positions.
            trough: Lower bounds of the displaced token's pulls at these positions.
        """
        bound = peak - trough
        matters = gap <= self.tolerance * bound
        if self.curve is not None:
            distance = (gap.clamp_min(0) * self.curve[rows]).sqrt()
            matters |= bound - gap > self.floor * FLOOR_ROUNDING * distance
        return matters & gap.isfinite()


def crowded_tokens(contest: Contest, tally: Tally, tokens: Tensor, gap: Tensor) -> None:
    """Settles all positions for some tokens (rows) against all others (columns).

    Args:
        contest: Reader, codes and scores.
        tally: Flips and pairs are entered here.
        tokens: Indices of the tokens, ascending.
        gap: Lower bounds of their gaps; infinite for the token itself.
    """
    nearest, others = gap.topk(min(NEAR, gap.shape[1]), largest=False)
    gap.scatter_(1, others, torch.inf)
    everywhere = slice(0, len(contest.codes))
    for part in torch.arange(len(tokens)).split(ROWS_AT_ONCE):
        rows = tokens[part]
        near = near_depths(contest, tally, rows, others[part], nearest[part], everywhere)
        report(contest, tally, rows, _with_far(contest, tally, rows, gap[part], near))


def _with_far(contest: Contest, tally: Tally, tokens: Tensor, gap: Tensor, near: Depths) -> Depths:
    """The depths with all other tokens considered, given those of the nearest."""
    scores = contest.scores
    curve = None if scores.curve is None else 2 * scores.curve[tokens]
    stakes = Stakes(tally.tolerance, tally.worst.raised_floor(near.low), curve)
    troughs = scores.group_low[tokens]
    row, other = _reachable(scores, tally.tolerance, gap, troughs.amin(1, True))
    gaps = gap[row, other]
    settle_open(contest, tally, tokens, row, other, gaps)
    some = stakes.matter(row, gaps, scores.peak[other], troughs.amin(1)[row]).nonzero().flatten()
    row, other, gaps = row[some], other[some], gaps[some]
    peaks, low_ends = scores.group_top.index_select(0, other), troughs.index_select(0, row)
    needed = stakes.matter(row[:, None], gaps[:, None], peaks, low_ends)
    best, low, high = near.best.clone(), near.low.clone(), near.high.clone()
    for number, span in enumerate(scores.groups):
        pairs = needed[:, number].nonzero().flatten()
        args = tokens[row[pairs]], other[pairs], gaps[pairs], span
        for found, depths in depths_of_pairs(contest, tally, *args):
            place = torch.searchsorted(tokens, found)
            for whole, part in ((best, depths.best), (low, depths.low), (high, depths.high)):
                whole[:, span][place] = whole[:, span][place].maximum(part)
    if scores.curve is None:  # those that were not looked at may be the deepest
        lost = tally.flips[tokens]
        high = torch.where(lost, scores.depth_caps(tokens), high)
        best = best.masked_fill(lost, torch.inf)
    return Depths(best, low, high)


def _reachable(
    scores: GuardedScores, tolerance: float, gap: Tensor, trough: Tensor
) -> tuple[Tensor, Tensor]:
    """Place of a token and another token that may take it, at the codes' length or the tolerance.

    What flips at no position at all is neither open nor deep.
    """
    peak = scores.peak
    if tolerance > 1:
        peak, trough = tolerance * peak.clamp_min(0), tolerance * trough.clamp_max(0)
    row, other = (gap - peak <= -trough).nonzero(as_tuple=True)
    return row, other
