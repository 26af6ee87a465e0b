"""Tokens that very many others might replace: first the nearest few, then the rest in groups.

The nearest settle most positions. Another token is looked at only in a group of positions where a
bound on its projection shows that it may flip an open position, may be among the deepest flips, or
may be the first to flip if all codes grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.guarded import GuardedScores
from orthogan.geometry.identity._counting.open_positions import settle_open
from orthogan.geometry.identity._counting.pairs import (
    Depths,
    depths_of_pairs,
    near_depths,
    report,
)
from orthogan.geometry.identity._counting.search import Search

NEAR = 32  # near tokens; every position is looked at for each
ROWS_AT_ONCE = 64
FLOOR_ROUNDING = 1 - 1e-5


@dataclass(frozen=True)
class Thresholds:
    """What another token must reach to change the result.

    Attributes:
        tolerance: It may flip first if its score margin is at most this multiple of its
            projection.
        floor: It may be among the worst if it is beyond the cell boundary by more than this.
        curve: Square of the distance over the score margin, one a displaced token; None where
            score margins do not decide distances, so that the floor is of no use.
    """

    tolerance: float
    floor: float
    curve: Tensor | None

    def matter(self, rows: Tensor, margin: Tensor, peak: Tensor, trough: Tensor) -> Tensor:
        """Whether another token may be the deepest or the first to flip, as far as bounds tell.

        Args:
            rows: Place of the displaced token among those at hand.
            margin: Lower bounds of the score margins.
            peak: Upper bounds of the other token's projections at some positions.
            trough: Lower bounds of the displaced token's projections at these positions.
        """
        bound = peak - trough
        matters = margin <= self.tolerance * bound
        if self.curve is not None:
            distance = (margin.clamp_min(0) * self.curve[rows]).sqrt()
            matters |= bound - margin > self.floor * FLOOR_ROUNDING * distance
        return matters & margin.isfinite()


def settle_tokens_with_many(search: Search, tokens: Tensor, margin: Tensor) -> None:
    """Settles all positions for some tokens (rows) against all others (columns).

    Args:
        search: Flips and pairs are entered here.
        tokens: Indices of the tokens, ascending.
        margin: Lower bounds of their score margins; infinite for the token itself.
    """
    nearest, others = margin.topk(min(NEAR, margin.shape[1]), largest=False)
    margin.scatter_(1, others, torch.inf)
    everywhere = slice(0, len(search.codes))
    for part in torch.arange(len(tokens)).split(ROWS_AT_ONCE):
        rows = tokens[part]
        near = near_depths(search, rows, others[part], nearest[part], everywhere)
        report(search, rows, _with_far(search, rows, margin[part], near))


def _with_far(search: Search, tokens: Tensor, margin: Tensor, near: Depths) -> Depths:
    """The depths with all other tokens considered, given those of the nearest."""
    scores = search.scores
    curve = None if scores.curve is None else 2 * scores.curve[tokens]
    thresholds = Thresholds(search.tolerance, search.worst.raised_floor(near.low), curve)
    troughs = scores.group_low[tokens]
    row, other = _reachable(scores, search.tolerance, margin, troughs.amin(1, True))
    margins = margin[row, other]
    settle_open(search, tokens, row, other, margins)
    some = (
        thresholds.matter(row, margins, scores.peak[other], troughs.amin(1)[row])
        .nonzero()
        .flatten()
    )
    row, other, margins = row[some], other[some], margins[some]
    peaks, low_ends = scores.group_top.index_select(0, other), troughs.index_select(0, row)
    needed = thresholds.matter(row[:, None], margins[:, None], peaks, low_ends)
    best, low, high = near.best.clone(), near.low.clone(), near.high.clone()
    for number, span in enumerate(scores.groups):
        pairs = needed[:, number].nonzero().flatten()
        args = tokens[row[pairs]], other[pairs], margins[pairs], span
        for found, depths in depths_of_pairs(search, *args):
            place = torch.searchsorted(tokens, found)
            for whole, part in ((best, depths.best), (low, depths.low), (high, depths.high)):
                whole[:, span][place] = whole[:, span][place].maximum(part)
    if scores.curve is None:  # those that were not looked at may be the deepest
        lost = search.flips[tokens]
        high = torch.where(lost, scores.depth_caps(tokens), high)
        best = best.masked_fill(lost, torch.inf)
    return Depths(best, low, high)


def _reachable(
    scores: GuardedScores, tolerance: float, margin: Tensor, trough: Tensor
) -> tuple[Tensor, Tensor]:
    """Place of a token and another token that may take it, at the codes' length or the tolerance.

    What flips at no position at all is neither open nor deep.
    """
    peak = scores.peak
    if tolerance > 1:
        peak, trough = tolerance * peak.clamp_min(0), tolerance * trough.clamp_max(0)
    row, other = (margin - peak <= -trough).nonzero(as_tuple=True)
    return row, other
