"""Pairs of tokens looked at position by position, in guarded float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.exact import beats
from orthogan.geometry.identity._counting.search import Search

BLOCK_VALUES = 2**19  # float32 values at a time: 2 MB stay in the cache
BLOCK_PAIRS = 4096
TINY = 1e-30  # stands for a distance that float32 cannot tell from 0


@dataclass(frozen=True)
class Depths:
    """How far some tokens (rows) are beyond their cell boundaries at every position, as bounds.

    `best` is an upper bound of how far the score of the best other token exceeds that of the
    displaced one;
    negative or zero where it keeps its identity.
    """

    best: Tensor
    low: Tensor
    high: Tensor


def near_pairs(search: Search, first: Tensor, second: Tensor, margin: Tensor) -> None:
    """Settles all positions for the given pairs of tokens, sorted by the first."""
    scores = search.scores
    factor = max(1.0, search.tolerance)
    kept = [torch.zeros(0, dtype=torch.int64)]
    for i in torch.arange(len(first)).split(BLOCK_PAIRS):
        bound = scores.pair_bounds(first[i], second[i])
        # Of negative bounds, which meet negative score margins of logits, the plain one is weaker.
        kept.append(i[margin[i] <= bound.maximum(factor * bound)])
    index = torch.cat(kept)
    pairs = first[index], second[index], margin[index]
    for tokens, depths in depths_of_pairs(search, *pairs, slice(0, len(search.codes))):
        report(search, tokens, depths)


def depths_of_pairs(
    search: Search,
    first: Tensor,
    second: Tensor,
    margin: Tensor,
    span: slice,
) -> Iterator[tuple[Tensor, Depths]]:
    """Settles a run of positions for pairs of tokens sorted by the first, some tokens at a time.

    Yields tokens, each once in all, and how deep they are at these positions.
    """
    for tokens, place, present in runs(first, span.stop - span.start):
        margins = margin[place].masked_fill_(~present, torch.inf)
        yield tokens, near_depths(search, tokens, second[place], margins, span)


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
    search: Search,
    tokens: Tensor,
    others: Tensor,
    margin: Tensor,
    span: slice,
) -> Depths:
    """Settles a run of positions for some tokens (rows) against a few others each (columns).

    Args:
        search: Flips and pairs are entered here.
        tokens: Indices of the tokens.
        others: Indices of the other tokens.
        margin: Lower bounds of the score margins; infinite where a column is not in use.
        span: The positions.
    """
    scores = search.scores
    shape = (*others.shape, span.stop - span.start)
    excess = scores.projections[:, span].index_select(0, others.flatten()).view(shape)
    excess -= scores.low_projections(tokens, span)[:, None, :]
    _note_first_flips(search, tokens, others, margin, excess.amax(2))
    excess -= margin[:, :, None]
    best = excess.amax(1)
    guard = scores.pair_guards(tokens[:, None], others).masked_fill(margin.isinf(), 0).amax(1)
    length = scores.lengths[tokens] + scores.lengths[others].amax(1)
    doubt = guard[:, None] + length[:, None] * scores.slack[span]
    sure = best > doubt
    search.flips[:, span][tokens] |= sure
    doubtful = (best > 0) & ~sure
    if bool(doubtful.any()):
        row, column, t = ((excess > 0) & doubtful[:, None, :]).nonzero(as_tuple=True)
        decide(search, tokens[row], others[row, column], span.start + t)
    if not bool((best > 0).any()):
        return Depths(best, best, best)
    near, far = (
        1 / distance.clamp_min(TINY).masked_fill(margin.isinf(), 1)
        for distance in scores.distances(tokens[:, None], others, margin)
    )
    caps = scores.depth_caps(tokens, span)
    high = (best * near.amax(1, True)).minimum(caps)
    low = torch.zeros_like(high)
    # Of those that cannot be among the worst, loose bounds will do.
    deep = ((best > 0) & (high >= search.worst.floor)).any(1).nonzero().flatten()
    if len(deep):
        excess = excess[deep]
        high[deep] = (excess * near[deep, :, None]).amax(1).minimum(caps[deep])
        excess -= doubt[deep, None]
        low[deep] = (excess * far[deep, :, None]).amax(1).clamp_min(0)
    return Depths(best, low, high)


def decide(search: Search, i: Tensor, j: Tensor, t: Tensor) -> None:
    """Enters the flips among triples that float32 cannot tell."""
    open_ = ~search.flips[i, t]
    i, j, t = i[open_], j[open_], t[open_]
    won = beats(search.rule, search.codes, i, j, t)
    search.flips[i[won], t[won]] = True


def report(search: Search, tokens: Tensor, depths: Depths) -> None:
    """Enters the flips of some tokens that may be among the worst."""
    row, t = ((depths.best > 0) & (depths.high >= search.worst.floor)).nonzero(as_tuple=True)
    keys = tokens[row] * len(search.codes) + t
    flipped = search.flips[tokens[row], t]
    row, t = row[flipped], t[flipped]
    low, high = depths.low[row, t], depths.high[row, t]
    # The quotients and roots of the bounds are rounded too.
    search.worst.add(keys[flipped], low * (1 - 1e-5), high * (1 + 1e-5))


def note_pairs(search: Search, first: Tensor, second: Tensor, margin: Tensor) -> None:
    """Enters when the given pairs meet first, whatever the position."""
    scores = search.scores
    for place in torch.arange(len(first)).split(BLOCK_PAIRS):
        i, j = first[place], second[place]
        possible = margin[place] <= search.tolerance * scores.pair_bounds(i, j)
        i, j, margins = i[possible], j[possible], margin[place][possible]
        for part in torch.arange(len(i)).split(max(1, BLOCK_VALUES // scores.projections.shape[1])):
            excess = scores.projections[j[part]] - scores.low_projections(i[part])
            args = (i[part], j[part][:, None], margins[part][:, None], excess.amax(1)[:, None])
            _note_first_flips(search, *args)


def _note_first_flips(
    search: Search,
    tokens: Tensor,
    others: Tensor,
    margin: Tensor,
    peak: Tensor,
) -> None:
    scores = search.scores
    first = tokens[:, None].expand_as(others)
    usable = (peak > 0) & margin.isfinite()
    i, j, margin, peak = first[usable], others[usable], margin[usable], peak[usable]
    low_peak = peak - scores.slack.max() * (scores.lengths[i] + scores.lengths[j])
    margin_high = margin + scores.pair_guards(i, j)
    # The quotients are rounded too.
    high = (margin_high / low_peak * (1 + 1e-6)).masked_fill(low_peak <= 0, torch.inf)
    low = margin.clamp_min(0) / peak * (1 - 1e-6)
    search.may_flip_first(i * len(scores.tokens) + j, low, high)
