"""Tokens that very many others might replace: the nearest few, and the far ones in order.

Far tokens have a gap of at least that of the last near one, so at each position only those count
that are pulled by more than that beyond the displaced token: the head of the list of all tokens in
the order of their pull, which is gone through in growing pieces until the identity is lost.
"""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.geometry.pairs import TINY, Contest, Depths, decide, near_depths, note_pairs, report
from orthogan.geometry.tally import Tally

NEAR = 32  # near tokens; every position is looked at for each
PIECES = (128, 2048)  # ends of the pieces of the list; the last one is the whole list
ROWS_AT_ONCE = 16


def crowded_tokens(contest: Contest, tally: Tally, tokens: Tensor, gap: Tensor) -> None:
    """Settles all positions for some tokens (rows) against all others (columns).

    Args:
        contest: Reader, codes and scores.
        tally: Flips and pairs are entered here.
        tokens: Indices of the tokens.
        gap: Lower bounds of their gaps; infinite for the token itself.
    """
    _note_all_pairs(contest, tally, tokens, gap)
    nearest, others = gap.topk(min(NEAR, gap.shape[1]), largest=False)
    parts = [
        near_depths(contest, tally, tokens[part], others[part], nearest[part])
        for part in torch.arange(len(tokens)).split(ROWS_AT_ONCE)
    ]
    best, low, high = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("best", "low", "high")
    )
    beyond = nearest[:, -1]
    excess = contest.scores.top - contest.scores.low_pulls(tokens) - beyond[:, None]
    if bool((excess > 0).any()):
        far = _far_depths(contest, tally, tokens, gap, beyond, excess)
        low = low.maximum(far.low)
        narrow = _narrowed(contest, tally, tokens, gap, beyond, Depths(best, low, far.high))
        best, low, high = best.maximum(far.best), narrow.low, high.maximum(narrow.high)
    report(contest, tally, tokens, Depths(best, low, high))


def _note_all_pairs(contest: Contest, tally: Tally, tokens: Tensor, gap: Tensor) -> None:
    scores = contest.scores
    top, bottom = scores.pulls.amax(1), scores.low_pulls(tokens).amin(1)
    reach = (top - bottom[:, None]).minimum(scores.reach[tokens, None])
    row, other = (gap <= tally.tolerance * reach.clamp_min(0)).nonzero(as_tuple=True)
    note_pairs(contest, tally, tokens[row], other, gap[row, other])


def _far_depths(
    contest: Contest, tally: Tally, tokens: Tensor, gap: Tensor, beyond: Tensor, excess: Tensor
) -> Depths:
    """As `near_depths`, for all tokens with gaps of at least `beyond`.

    `excess` is by how much the largest pull at a position exceeds what such a token needs.
    """
    scores = contest.scores
    values, order = scores.descending
    low_pulls = scores.low_pulls(tokens)
    # Below zero, so that a far token that is not visited bounds nothing.
    best, low = torch.full_like(excess, -1.0), torch.zeros_like(excess)
    for t in range(excess.shape[1]):
        rows = ((excess[:, t] > 0) & ~tally.flips[tokens, t]).nonzero().flatten()
        if not len(rows):
            continue
        need = low_pulls[rows, t] + beyond[rows]
        heads = torch.searchsorted(-values[t], -need)
        begin = 0
        for end in (*PIECES, gap.shape[1]):
            end = min(end, int(heads.max()) if len(heads) else 0)
            if end <= begin:
                break
            piece = order[t, begin:end].long()
            lead = values[t, begin:end] - gap[rows[:, None], piece] - low_pulls[rows, t, None]
            flipped = _enter(contest, tally, tokens, rows, piece, t, lead, gap, best, low)
            going_on = ~flipped & (heads > end)
            rows, heads, begin = rows[going_on], heads[going_on], end
    # What may lie in pieces that were not looked at.
    flips = tally.flips[tokens] & (excess > 0)
    high = scores.depth_caps(tokens)
    if scores.curve is not None:
        distance = (2 * beyond.clamp_min(0) * scores.curve[tokens]).sqrt().clamp_min(TINY)
        high = high.minimum(excess / distance[:, None])
    return Depths(torch.where(flips, excess, best), low, torch.where(flips, high, 0.0))


def _narrowed(
    contest: Contest, tally: Tally, tokens: Tensor, gap: Tensor, beyond: Tensor, far: Depths
) -> Depths:
    """Narrower bounds for flips that might be among the worst.

    A far token makes a flip deeper than the floor of the shortlist only if it is pulled by more
    than its gap and that floor times its distance: the head of the list is short now.
    """
    scores = contest.scores
    if scores.curve is None:
        return far
    floor = tally.worst.raised_floor(far.low)
    values, order = scores.descending
    low_pulls = scores.low_pulls(tokens)
    least = beyond + floor * (2 * beyond.clamp_min(0) * scores.curve[tokens]).sqrt()
    need = low_pulls + least[:, None] * (1 - 1e-5)
    low, high = far.low.clone(), far.high.clone()
    open_ = tally.flips[tokens] & (high > floor)
    for t in open_.any(0).nonzero().flatten().tolist():
        rows = open_[:, t].nonzero().flatten()
        end = int(torch.searchsorted(-values[t], -need[rows, t]).max())
        piece = order[t, :end].long()
        gaps = gap[rows[:, None], piece]
        first = tokens[rows, None]
        near, wide = (
            distance.clamp_min(TINY).masked_fill(gaps.isinf(), 1)
            for distance in scores.distances(first, piece, gaps)
        )
        lead = values[t, :end] - gaps - low_pulls[rows, t, None]
        length = scores.lengths[first] + scores.lengths[piece]
        sure = lead - scores.pair_guards(first, piece) - scores.slack[t] * length
        edge = torch.full((len(rows), 1), floor)
        # Those not in the head are no deeper than the floor.
        high[rows, t] = torch.cat([lead / near, edge], 1).amax(1).minimum(high[rows, t])
        low[rows, t] = torch.cat([sure / wide, low[rows, t, None]], 1).amax(1)
    return Depths(far.best, low, high)


def _enter(
    contest: Contest,
    tally: Tally,
    tokens: Tensor,
    rows: Tensor,
    piece: Tensor,
    t: int,
    lead: Tensor,
    gap: Tensor,
    best: Tensor,
    low: Tensor,
) -> Tensor:
    """Enters the flips of one piece at one position; which rows have flipped by now."""
    scores = contest.scores
    top, place = lead.max(1)
    winner = piece[place]
    i = tokens[rows]
    guard = scores.pair_guards(i, winner)
    margin = guard + scores.slack[t] * (scores.lengths[i] + scores.lengths[winner])
    sure = top > margin
    tally.flips[i[sure], t] = True
    _, distance = scores.distances(i, winner, gap[rows, winner])
    depth = (top - margin).clamp_min(0) / distance.clamp_min(TINY)
    low[rows, t] = low[rows, t].maximum(depth)
    best[rows, t] = best[rows, t].maximum(top)
    doubtful = ((top > 0) & ~sure).nonzero().flatten()
    if len(doubtful):
        row, column = (lead[doubtful] > 0).nonzero(as_tuple=True)
        first, second = i[doubtful[row]], piece[column]
        decide(contest, tally, first, second, torch.full_like(first, t))
    return tally.flips[i, t]
