"""Every token against every other, and every position where it matters."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.candidates import Candidates
from orthogan.geometry.identity._counting.many_candidates import settle_tokens_with_many
from orthogan.geometry.identity._counting.nearest import Nearest
from orthogan.geometry.identity._counting.pairs import BLOCK_PAIRS, near_pairs, note_pairs
from orthogan.geometry.identity._counting.search import Search
from orthogan.geometry.identity._counting.tiles import Tiles
from orthogan.geometry.identity.flip_count import Progress

MANY_ROWS = 128  # tokens with many candidates at a time: 128 x 30,000 float32 values are 15 MB
NUM_SAMPLED = 256  # tokens among which a near one is looked for to begin with
NUM_GUESSED = 2048  # tokens for which it is looked for


def scan(search: Search, progress: Progress | None) -> None:
    """Settles all positions of all tokens.

    Args:
        search: Flips, score margins and pairs are entered here.
        progress: Called with the work done and the work in all, counted in tokens.
    """
    num_tokens = len(search.scores.tokens)
    first_guess(search)
    candidates, nearest = Candidates.among(num_tokens), Nearest.among(num_tokens)
    tiles = Tiles.of(search.scores)
    work, done = tiles.work(), 0
    for number, rows in enumerate(tiles.blocks):
        for tile in tiles.walk(number):
            nearest.update(search, tile)
            candidates.update(search, tile)
        near_pairs(search, *candidates.take(rows))
        _settle_tokens(search, candidates.with_many(rows))
        nearest.settle(search, rows)
        done += work[number]
        if progress is not None:
            progress(num_tokens * done // sum(work), num_tokens)


def _settle_tokens(search: Search, with_many: Tensor) -> None:
    scores = search.scores
    for tokens in with_many.split(MANY_ROWS):
        margin = torch.addmm(scores.others, scores.tokens[tokens], scores.directions.T, alpha=-1)
        margin += scores.own[tokens, None]
        margin[torch.arange(len(tokens)), tokens] = torch.inf
        settle_tokens_with_many(search, tokens, margin)


def first_guess(search: Search) -> None:
    """Enters some pairs that are likely to meet early, so that others can be ruled out."""
    scores = search.scores
    num_tokens = len(scores.tokens)
    low, high = scores.projections.argmin(0), scores.projections.argmax(0)
    sampled = torch.linspace(0, num_tokens - 1, min(NUM_SAMPLED, num_tokens)).long()
    guessed = torch.linspace(0, num_tokens - 1, min(NUM_GUESSED, num_tokens)).long()
    margins = scores.others[sampled] - scores.tokens[guessed] @ scores.directions[sampled].T
    margins.masked_fill_(guessed[:, None] == sampled, torch.inf)
    _note(search, guessed, sampled[margins.argmin(1)])
    _note(search, low, high)


def _note(search: Search, first: Tensor, second: Tensor) -> None:
    scores = search.scores
    differ = first != second
    i, j = first[differ], second[differ]
    for one, other in zip(i.split(BLOCK_PAIRS), j.split(BLOCK_PAIRS), strict=True):
        product = (scores.tokens[one] * scores.directions[other]).sum(1)
        note_pairs(search, one, other, scores.own[one] + scores.others[other] - product)
