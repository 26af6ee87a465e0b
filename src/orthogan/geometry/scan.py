"""One strip of a census: some tokens against all others at all positions.

The gaps of a strip are one matrix product. A token j can take the identity of token i somewhere
only if their gap is below the largest pull of any position from i towards any token, which for
most tokens leaves few j or none. Those are looked at position by position; tokens with very many
of them are left to `crowd`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.geometry.crowd import crowded_tokens
from orthogan.geometry.pairs import BLOCK_PAIRS, Contest, near_pairs, note_pairs
from orthogan.geometry.tally import Tally

CROWD = 128  # candidates of one token from which on they are not looked at one by one
NUM_SAMPLED = 256  # tokens among which a near one is looked for to begin with


def first_guess(contest: Contest, tally: Tally) -> None:
    """Enters some pairs that are likely to meet early, so that others can be ruled out."""
    scores = contest.scores
    num_tokens = len(scores.tokens)
    low, high = scores.pulls.argmin(0), scores.pulls.argmax(0)
    sampled = torch.linspace(0, num_tokens - 1, min(NUM_SAMPLED, num_tokens)).long()
    for tokens in torch.arange(num_tokens).split(BLOCK_PAIRS):
        block = scores.others[sampled] - scores.tokens[tokens] @ scores.directions[sampled].T
        block.masked_fill_(tokens[:, None] == sampled, torch.inf)
        near = sampled[block.argmin(1)]
        _note(contest, tally, tokens, near)
    _note(contest, tally, low, high)


def _note(contest: Contest, tally: Tally, first: Tensor, second: Tensor) -> None:
    scores = contest.scores
    differ = first != second
    i, j = first[differ], second[differ]
    for one, other in zip(i.split(BLOCK_PAIRS), j.split(BLOCK_PAIRS), strict=True):
        product = (scores.tokens[one] * scores.directions[other]).sum(1)
        note_pairs(contest, tally, one, other, scores.own[one] + scores.others[other] - product)


def scan_strip(contest: Contest, tally: Tally, rows: slice, scratch: Tensor) -> None:
    """Settles all positions for some tokens against all others."""
    scores = contest.scores
    strip = scores.gaps(rows, out=scratch[: rows.stop - rows.start])
    tokens = torch.arange(rows.start, rows.stop)
    own = scores.own[rows]
    lowest, nearest = strip.min(1)
    at_rest = lowest + scores.pair_guards(tokens, nearest)
    factor = max(1.0, tally.tolerance)
    reach = scores.reach[rows]
    limit = at_rest.maximum((factor * reach).masked_fill(reach <= 0, 0) - own)
    candidates = strip <= limit[:, None]
    crowded = candidates.sum(1) > CROWD
    candidates[crowded] = False
    row, other = candidates.nonzero(as_tuple=True)
    gap = strip[row, other]
    _note_leads(contest, tally, tokens[row], other, gap <= at_rest[row])
    near_pairs(contest, tally, tokens[row], other, gap + own[row])
    if bool(crowded.any()):
        gaps = strip[crowded]
        row, other = (gaps <= at_rest[crowded, None]).nonzero(as_tuple=True)
        held = torch.ones_like(other, dtype=torch.bool)
        _note_leads(contest, tally, tokens[crowded][row], other, held)
        crowded_tokens(contest, tally, tokens[crowded], gaps + own[crowded, None])


def _note_leads(
    contest: Contest, tally: Tally, first: Tensor, second: Tensor, nearest: Tensor
) -> None:
    first, second = first[nearest], second[nearest]
    for i, j in zip(first.split(BLOCK_PAIRS), second.split(BLOCK_PAIRS), strict=True):
        tally.lead.scatter_reduce_(0, i, contest.reader.gaps(i, j), "amin")
