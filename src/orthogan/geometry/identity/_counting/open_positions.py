"""Positions at which a token is not known to flip, against all tokens that could still take it."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.accumulator import Tally
from orthogan.geometry.identity._counting.guarded import GuardedScores, in_groups
from orthogan.geometry.identity._counting.pairs import Contest, decide, runs


def settle_open(
    contest: Contest, tally: Tally, tokens: Tensor, row: Tensor, other: Tensor, gap: Tensor
) -> None:
    """Enters the flips of some tokens at positions where they are not known to flip.

    Another token is looked at in the groups of positions where its pull may exceed what holds an
    open position. Their flips are all that is entered: no depths, no first flips.

    Args:
        contest: Reader, codes and scores.
        tally: Flips are read here and entered.
        tokens: Indices of the tokens.
        row: Place of the displaced token in `tokens`, one a pair, ascending.
        other: Index of the other token.
        gap: Lower bound of the gap.
    """
    scores = contest.scores
    pulls = scores.grouped_pulls
    count, size = pulls.shape[1:]
    low = scores.low_pulls(tokens).masked_fill_(tally.flips[tokens], torch.inf)
    low = in_groups(low, torch.inf)
    trough = low.amin(2)
    some = (gap < scores.peak[other] - trough.amin(1)[row]).nonzero().flatten()
    row, other, gap = row[some], other[some], gap[some]
    margin = in_groups(_margins(scores, tokens, row, other), 0.0)
    bound = scores.group_top.index_select(0, other) - trough.index_select(0, row)
    group, pair = (gap[:, None] < bound).T.contiguous().nonzero(as_tuple=True)
    place, other, gap = group * len(tokens) + row[pair], other[pair], gap[pair]
    source = other * count + group
    pulls = pulls.flatten(0, 1)
    low, margin = (part.transpose(0, 1).flatten(0, 1) for part in (low, margin))
    for at, index, present in runs(place, size):
        lead = pulls.index_select(0, source[index].flatten()).view(*index.shape, size)
        lead -= gap[index].masked_fill_(~present, torch.inf)[:, :, None]
        best = lead.amax(1) - low[at]
        sure = best > margin[at]
        run, column = sure.nonzero(as_tuple=True)
        tally.flips[tokens[at[run] % len(tokens)], at[run] // len(tokens) * size + column] = True
        doubtful = (best > 0) & ~sure
        if bool(doubtful.any()):
            lead -= low[at][:, None]
            run, member, column = ((lead > 0) & doubtful[:, None]).nonzero(as_tuple=True)
            third = index[run, member]
            t = group[third] * size + column
            decide(contest, tally, tokens[at[run] % len(tokens)], other[third], t)


def _margins(scores: GuardedScores, tokens: Tensor, row: Tensor, other: Tensor) -> Tensor:
    """What a lead must exceed to be sure, one row a token, one column a position."""
    guard, length = (
        own[tokens] + torch.zeros(len(tokens)).scatter_reduce_(0, row, of[other], "amax")
        for own, of in (
            (scores.own_guard, scores.other_guard),
            (scores.lengths, scores.lengths),
        )
    )
    return 2 * guard[:, None] + length[:, None] * scores.slack
