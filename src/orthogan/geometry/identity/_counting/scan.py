"""The scan of a census: every token against every other, and every position where it matters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.accumulator import Tally
from orthogan.geometry.identity._counting.candidates import Candidates
from orthogan.geometry.identity._counting.crowded import crowded_tokens
from orthogan.geometry.identity._counting.nearest import Nearest
from orthogan.geometry.identity._counting.pairs import BLOCK_PAIRS, Contest, near_pairs, note_pairs
from orthogan.geometry.identity._counting.tiles import Tiles

CROWD_ROWS = 128  # crowded tokens at a time: 128 x 30,000 float32 gaps are 15 MB
NUM_SAMPLED = 256  # tokens among which a near one is looked for to begin with
NUM_GUESSED = 2048  # tokens for which it is looked for

Progress = Callable[[int, int], None]


def scan(contest: Contest, tally: Tally, progress: Progress | None) -> None:
    """Settles all positions of all tokens.

    Args:
        contest: Reader, codes and scores.
        tally: Flips, gaps and pairs are entered here.
        progress: Called with the work done and the work in all, counted in tokens.
    """
    num_tokens = len(contest.scores.tokens)
    first_guess(contest, tally)
    candidates, nearest = Candidates.among(num_tokens), Nearest.among(num_tokens)
    tiles = Tiles.of(contest.scores)
    work, done = tiles.work(), 0
    for number, rows in enumerate(tiles.blocks):
        for tile in tiles.walk(number):
            nearest.look(contest, tile)
            candidates.look(contest, tally, tile)
        near_pairs(contest, tally, *candidates.take(rows))
        _settle_crowded(contest, tally, candidates.crowded(rows))
        nearest.settle(contest, tally, rows)
        done += work[number]
        if progress is not None:
            progress(num_tokens * done // sum(work), num_tokens)


def _settle_crowded(contest: Contest, tally: Tally, crowded: Tensor) -> None:
    scores = contest.scores
    for tokens in crowded.split(CROWD_ROWS):
        gap = torch.addmm(scores.others, scores.tokens[tokens], scores.directions.T, alpha=-1)
        gap += scores.own[tokens, None]
        gap[torch.arange(len(tokens)), tokens] = torch.inf
        crowded_tokens(contest, tally, tokens, gap)


def first_guess(contest: Contest, tally: Tally) -> None:
    """Enters some pairs that are likely to meet early, so that others can be ruled out."""
    scores = contest.scores
    num_tokens = len(scores.tokens)
    low, high = scores.pulls.argmin(0), scores.pulls.argmax(0)
    sampled = torch.linspace(0, num_tokens - 1, min(NUM_SAMPLED, num_tokens)).long()
    guessed = torch.linspace(0, num_tokens - 1, min(NUM_GUESSED, num_tokens)).long()
    gaps = scores.others[sampled] - scores.tokens[guessed] @ scores.directions[sampled].T
    gaps.masked_fill_(guessed[:, None] == sampled, torch.inf)
    _note(contest, tally, guessed, sampled[gaps.argmin(1)])
    _note(contest, tally, low, high)


def _note(contest: Contest, tally: Tally, first: Tensor, second: Tensor) -> None:
    scores = contest.scores
    differ = first != second
    i, j = first[differ], second[differ]
    for one, other in zip(i.split(BLOCK_PAIRS), j.split(BLOCK_PAIRS), strict=True):
        product = (scores.tokens[one] * scores.directions[other]).sum(1)
        note_pairs(contest, tally, one, other, scores.own[one] + scores.others[other] - product)
