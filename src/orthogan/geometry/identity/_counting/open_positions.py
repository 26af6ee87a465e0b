"""Positions at which a token is not known to flip, against all tokens that could still take it."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.guarded import GuardedScores, in_groups
from orthogan.geometry.identity._counting.pairs import decide, runs
from orthogan.geometry.identity._counting.search import Search


def settle_open(
    search: Search,
    tokens: Tensor,
    row: Tensor,
    other: Tensor,
    margin: Tensor,
) -> None:
    """Enters the flips of some tokens at positions where they are not known to flip.

    Another token is looked at in the groups of positions where its projection may exceed what holds
    an open position. Their flips are all that is entered: no depths, no first flips.

    Args:
        search: Flips are read here and entered.
        tokens: Indices of the tokens.
        row: Place of the displaced token in `tokens`, one a pair, ascending.
        other: Index of the other token.
        margin: Lower bound of the score margin.
    """
    scores = search.scores
    projections = scores.grouped_projections
    count, size = projections.shape[1:]
    low = scores.low_projections(tokens).masked_fill_(search.flips[tokens], torch.inf)
    low = in_groups(low, torch.inf)
    trough = low.amin(2)
    some = (margin < scores.peak[other] - trough.amin(1)[row]).nonzero().flatten()
    row, other, margin = row[some], other[some], margin[some]
    doubt = in_groups(_doubts(scores, tokens, row, other), 0.0)
    bound = scores.group_top.index_select(0, other) - trough.index_select(0, row)
    group, pair = (margin[:, None] < bound).T.contiguous().nonzero(as_tuple=True)
    place, other, margin = group * len(tokens) + row[pair], other[pair], margin[pair]
    source = other * count + group
    projections = projections.flatten(0, 1)
    low, doubt = (part.transpose(0, 1).flatten(0, 1) for part in (low, doubt))
    for at, index, present in runs(place, size):
        excess = projections.index_select(0, source[index].flatten()).view(*index.shape, size)
        excess -= margin[index].masked_fill_(~present, torch.inf)[:, :, None]
        best = excess.amax(1) - low[at]
        sure = best > doubt[at]
        run, column = sure.nonzero(as_tuple=True)
        search.flips[tokens[at[run] % len(tokens)], at[run] // len(tokens) * size + column] = True
        doubtful = (best > 0) & ~sure
        if bool(doubtful.any()):
            excess -= low[at][:, None]
            run, member, column = ((excess > 0) & doubtful[:, None]).nonzero(as_tuple=True)
            third = index[run, member]
            t = group[third] * size + column
            decide(search, tokens[at[run] % len(tokens)], other[third], t)


def _doubts(scores: GuardedScores, tokens: Tensor, row: Tensor, other: Tensor) -> Tensor:
    """What an excess must exceed to be sure, one row a token, one column a position."""
    guard, length = (
        own[tokens] + torch.zeros(len(tokens)).scatter_reduce_(0, row, of[other], "amax")
        for own, of in (
            (scores.own_guard, scores.other_guard),
            (scores.lengths, scores.lengths),
        )
    )
    return 2 * guard[:, None] + length[:, None] * scores.slack
