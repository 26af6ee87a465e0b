"""Pairs of tokens looked at position by position, in guarded float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.accumulator import Tally
from orthogan.geometry.identity._counting.exact import beats
from orthogan.geometry.identity._counting.guarded import GuardedScores
from orthogan.geometry.identity.decision_rules import DecisionRule

BLOCK_VALUES = 2**19  # float32 values at a time: 2 MB stay in the cache
BLOCK_PAIRS = 4096
TINY = 1e-30  # stands for a distance that float32 cannot tell from 0


@dataclass(frozen=True)
class Contest:
    """What a census is about: the same reader and codes in float64 and in guarded float32."""

    reader: DecisionRule
    codes: Tensor
    scores: GuardedScores


@dataclass(frozen=True)
class Depths:
    """How far some tokens (rows) are beyond their walls at every position, as bounds.

    `best` is an upper bound of the lead the best other token has over the displaced one;
    negative or zero where it keeps its identity.
    """

    best: Tensor
    low: Tensor
    high: Tensor


def near_pairs(contest: Contest, tally: Tally, first: Tensor, second: Tensor, gap: Tensor) -> None:
    """Settles all positions for the given pairs of tokens, sorted by the first."""
    scores = contest.scores
    factor = max(1.0, tally.tolerance)
    kept = [torch.zeros(0, dtype=torch.int64)]
    for i in torch.arange(len(first)).split(BLOCK_PAIRS):
        bound = scores.pair_bounds(first[i], second[i])
        # Of negative bounds, which meet the negative gaps of logits, the plain one is the weaker.
        kept.append(i[gap[i] <= bound.maximum(factor * bound)])
    index = torch.cat(kept)
    pairs = first[index], second[index], gap[index]
    for tokens, depths in depths_of_pairs(contest, tally, *pairs, slice(0, len(contest.codes))):
        report(contest, tally, tokens, depths)


def depths_of_pairs(
    contest: Contest, tally: Tally, first: Tensor, second: Tensor, gap: Tensor, span: slice
) -> Iterator[tuple[Tensor, Depths]]:
    """Settles a run of positions for pairs of tokens sorted by the first, some tokens at a time.

    Yields tokens, each once in all, and how deep they are at these positions.
    """
    for tokens, place, present in runs(first, span.stop - span.start):
        gaps = gap[place].masked_fill_(~present, torch.inf)
        yield tokens, near_depths(contest, tally, tokens, second[place], gaps, span)


def runs(first: Tensor, width: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Equal neighbours in `first`, gathered into rows: some runs of about one length at a time.

    Args:
        first: Sorted values.
        width: Numbers that the caller holds for every place; a batch has about `BLOCK_VALUES`.

    Yields:
        The value of each run, the places of its members (one row a run), and which of these are
        there.
    """
    values, counts = first.unique_consecutive(return_counts=True)
    starts = counts.cumsum(0) - counts
    order = counts.sort(descending=True, stable=True).indices
    done = 0
    while done < len(order):
        longest = int(counts[order[done]])
        batch = order[done : done + max(1, BLOCK_VALUES // (longest * width))]
        column = torch.arange(longest)
        place = (starts[batch, None] + column).clamp_max(len(first) - 1)
        yield values[batch], place, column < counts[batch, None]
        done += len(batch)


def near_depths(
    contest: Contest, tally: Tally, tokens: Tensor, others: Tensor, gap: Tensor, span: slice
) -> Depths:
    """Settles a run of positions for some tokens (rows) against a few others each (columns).

    Args:
        contest: Reader, codes and scores.
        tally: Flips and pairs are entered here.
        tokens: Indices of the tokens.
        others: Indices of the other tokens.
        gap: Lower bounds of the gaps; infinite where a column is not in use.
        span: The positions.
    """
    scores = contest.scores
    shape = (*others.shape, span.stop - span.start)
    lead = scores.pulls[:, span].index_select(0, others.flatten()).view(shape)
    lead -= scores.low_pulls(tokens, span)[:, None, :]
    _note_first_flips(contest, tally, tokens, others, gap, lead.amax(2))
    lead -= gap[:, :, None]
    best = lead.amax(1)
    guard = scores.pair_guards(tokens[:, None], others).masked_fill(gap.isinf(), 0).amax(1)
    length = scores.lengths[tokens] + scores.lengths[others].amax(1)
    margin = guard[:, None] + length[:, None] * scores.slack[span]
    sure = best > margin
    tally.flips[:, span][tokens] |= sure
    doubtful = (best > 0) & ~sure
    if bool(doubtful.any()):
        row, column, t = ((lead > 0) & doubtful[:, None, :]).nonzero(as_tuple=True)
        decide(contest, tally, tokens[row], others[row, column], span.start + t)
    if not bool((best > 0).any()):
        return Depths(best, best, best)
    near, far = (
        1 / distance.clamp_min(TINY).masked_fill(gap.isinf(), 1)
        for distance in scores.distances(tokens[:, None], others, gap)
    )
    caps = scores.depth_caps(tokens, span)
    high = (best * near.amax(1, True)).minimum(caps)
    low = torch.zeros_like(high)
    # Of those that cannot be among the worst, loose bounds will do.
    deep = ((best > 0) & (high >= tally.worst.floor)).any(1).nonzero().flatten()
    if len(deep):
        lead = lead[deep]
        high[deep] = (lead * near[deep, :, None]).amax(1).minimum(caps[deep])
        lead -= margin[deep, None]
        low[deep] = (lead * far[deep, :, None]).amax(1).clamp_min(0)
    return Depths(best, low, high)


def decide(contest: Contest, tally: Tally, i: Tensor, j: Tensor, t: Tensor) -> None:
    """Enters the flips among triples that float32 cannot tell."""
    open_ = ~tally.flips[i, t]
    i, j, t = i[open_], j[open_], t[open_]
    won = beats(contest.reader, contest.codes, i, j, t)
    tally.flips[i[won], t[won]] = True


def report(contest: Contest, tally: Tally, tokens: Tensor, depths: Depths) -> None:
    """Enters the flips of some tokens that may be among the worst."""
    row, t = ((depths.best > 0) & (depths.high >= tally.worst.floor)).nonzero(as_tuple=True)
    keys = tokens[row] * len(contest.codes) + t
    flipped = tally.flips[tokens[row], t]
    row, t = row[flipped], t[flipped]
    low, high = depths.low[row, t], depths.high[row, t]
    # The quotients and roots of the bounds are rounded too.
    tally.worst.add(keys[flipped], low * (1 - 1e-5), high * (1 + 1e-5))


def note_pairs(contest: Contest, tally: Tally, first: Tensor, second: Tensor, gap: Tensor) -> None:
    """Enters when the given pairs meet first, whatever the position."""
    scores = contest.scores
    for place in torch.arange(len(first)).split(BLOCK_PAIRS):
        i, j = first[place], second[place]
        possible = gap[place] <= tally.tolerance * scores.pair_bounds(i, j)
        i, j, gaps = i[possible], j[possible], gap[place][possible]
        for part in torch.arange(len(i)).split(max(1, BLOCK_VALUES // scores.pulls.shape[1])):
            lead = scores.pulls[j[part]] - scores.low_pulls(i[part])
            args = (i[part], j[part][:, None], gaps[part][:, None], lead.amax(1)[:, None])
            _note_first_flips(contest, tally, *args)


def _note_first_flips(
    contest: Contest, tally: Tally, tokens: Tensor, others: Tensor, gap: Tensor, peak: Tensor
) -> None:
    scores = contest.scores
    first = tokens[:, None].expand_as(others)
    usable = (peak > 0) & gap.isfinite()
    i, j, gap, peak = first[usable], others[usable], gap[usable], peak[usable]
    low_peak = peak - scores.slack.max() * (scores.lengths[i] + scores.lengths[j])
    gap_high = gap + scores.pair_guards(i, j)
    # The quotients are rounded too.
    high = (gap_high / low_peak * (1 + 1e-6)).masked_fill(low_peak <= 0, torch.inf)
    low = gap.clamp_min(0) / peak * (1 - 1e-6)
    tally.may_flip_first(i * len(scores.tokens) + j, low, high)
