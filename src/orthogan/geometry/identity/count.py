"""Which tokens change identity at which positions, into what: exact for a whole table.

Every (token, position) pair is decided. A float32 matrix product with a proven guard settles
almost all of them, float64 and integers the rest, so the count is that of real arithmetic on the
given numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from orthogan.devices import full_float32
from orthogan.errors import ConfigError
from orthogan.geometry.identity._counting.duplicates import Duplicates, duplicates
from orthogan.geometry.identity._counting.sample import fates, sampled_count
from orthogan.geometry.identity._counting.scan import scan
from orthogan.geometry.identity._counting.search import MAX_FACTOR, Search
from orthogan.geometry.identity.decision_rules import DecisionRule, decision_rule
from orthogan.geometry.identity.flip_count import Flip, FlipCount, Progress
from orthogan.geometry.identity.margins import boundaries_of, safe_radius
from orthogan.geometry.inputs import binary_scale, position_codes, token_table

MAX_PROJECTIONS = 2**27  # float32 values held for tokens x positions: 512 MB
EXACT_ROWS = 128  # flips at a time whose margins are taken in float64
EXACT_PAIRS = 1024
EXACT_ROUNDING = 1 - 1e-9


def count_flips(
    tokens: Tensor,
    codes: Tensor,
    reader: str = "euclidean",
    bias: Tensor | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    keep: int = 100,
    progress: Progress | None = None,
) -> FlipCount:
    r"""Every identity that a table of position codes flips, counted exactly.

    Token i flips at position t iff some token is strictly better at $e_i + p_t$; for the Euclidean
    decision rule iff $\exists j: \langle p_t, e_j - e_i \rangle > \tfrac12 \|e_j - e_i\|^2$.
    Ties are kept. Tokens with one vector are collisions, not flips.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position, as wide as the tokens.
        reader: `euclidean` (nearest token), `cosine` or `logits` (tied unembedding).
        bias: One number a token, for the `logits` decision rule only.
        sample: Decide only so many pairs, drawn uniformly with replacement; the answer then
            states a 95 % interval. None: every pair.
        seed: Of the sample.
        keep: How many of the worst flips are kept for `worst`.
        progress: Called with (work done, work in all) now and then, both counted in tokens.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite, or the cosine decision rule meets a zero token.
        UnknownNameError: no such decision rule.
        ConfigError: a bias the decision rule does not have; `sample` or `keep` below 1.

    Source: cells of the Voronoi diagram of the table; rounding guard after Higham 2002.
    Not covered: tokens that change with their context.

    >>> found = count_flips(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.4], [0.6]]))
    >>> found.flips, found.worst(1)
    (1, [Flip(token=0, position=1, becomes=1, margin=-0.1...)])
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    _check_counts(keep, sample)
    scale = binary_scale(table, shifts)
    rule = decision_rule(reader, table, bias, scale)
    same = duplicates(torch.cat([rule.tokens, rule.bias[:, None]], dim=1))
    alone, moves = rule.restricted(same.first), shifts * scale
    if sample is not None:
        return sampled_count(alone, moves, same, sample, seed, keep, scale)
    return _whole_count(alone, moves, same, keep, scale, progress)


def _check_counts(keep: int, sample: int | None) -> None:
    for name, value in (("keep", keep), ("sample", sample)):
        if value is not None and value < 1:
            raise ConfigError(f"'{name}' must be at least 1, got {value}.")


def _whole_count(
    rule: DecisionRule,
    codes: Tensor,
    same: Duplicates,
    keep: int,
    scale: float,
    progress: Progress | None,
) -> FlipCount:
    """The exact count of all pairs, given the decision rule of the table without its duplicates."""
    rest = torch.zeros(len(same.first), dtype=torch.float64)
    if rule.name == "logits":  # their score margins do not tell how far the cell boundaries are
        rest = safe_radius(rule.tokens, rule.name, rule.bias)
    flips: list[Tensor] = []
    worst: list[Flip] = []
    factor = math.inf
    smallest = rest
    for part in codes.split(max(1, MAX_PROJECTIONS // len(same.first))):
        with full_float32():
            search = Search.of(rule, part, rest, keep)
            if len(rest) > 1:
                scan(search, progress)
        begin = sum(done.shape[1] for done in flips)
        flips.append(search.flips)
        worst += _worst(search, begin, scale)
        factor, smallest = min(factor, _tolerance(search)), search.smallest
    radii = rest if rule.name == "logits" else _safe_radii(rule, smallest)
    worst = _with_copies(sorted(worst, key=_depth)[:keep], same)[:keep]
    return _result(rule, codes, same, torch.cat(flips, dim=1), radii, factor, worst, keep)


def _worst(search: Search, begin: int, scale: float) -> list[Flip]:
    """The deepest flips, exactly: the shortlist from its most promising end on."""
    rule, codes, size = search.rule, search.codes, search.worst.size
    keys, high = search.worst.candidates()
    found: list[Flip] = []
    centred = rule.directions - rule.directions.mean(0)
    for chunk, bound in zip(keys.split(EXACT_ROWS), high.split(EXACT_ROWS), strict=True):
        if len(found) >= size and -found[size - 1].margin * scale * EXACT_ROUNDING > bound[0]:
            break
        i, t = chunk // len(codes), chunk % len(codes)
        become, margins = fates(boundaries_of(rule, i, codes[t], centred), i)
        for k, other in enumerate(become.tolist()):
            found.append(Flip(int(i[k]), begin + int(t[k]), other, float(margins[k]) / scale))
        found = sorted(found, key=_depth)[:size]
    return found


def _depth(flip: Flip) -> tuple[float, int, int]:
    return flip.margin, flip.token, flip.position


def _tolerance(search: Search) -> float:
    """The factor at which the first flip occurs, exactly to float64."""
    if bool((search.smallest < 0).any()):
        return 0.0
    rule, best = search.rule, math.inf
    keys, low = search.first_flips()
    for chunk, bound in zip(keys.split(EXACT_PAIRS), low.split(EXACT_PAIRS), strict=True):
        if len(bound) == 0 or best <= bound[0]:
            break
        i, j = chunk // len(rule.tokens), chunk % len(rule.tokens)
        apart = rule.directions[j] - rule.directions[i]
        projection = (apart @ search.codes.T).amax(1)
        score_margin = rule.score_margins(i, j)
        best = min(
            best, float((score_margin / projection).masked_fill(projection <= 0, math.inf).min())
        )
    return best if best < MAX_FACTOR else math.inf


def _result(
    rule: DecisionRule,
    codes: Tensor,
    same: Duplicates,
    flips: Tensor,
    radii: Tensor,
    factor: float,
    worst: list[Flip],
    keep: int,
) -> FlipCount:
    copies = torch.bincount(same.kind, minlength=len(same.first))
    per_token = flips.sum(1)[same.kind]
    num_flips, num_pairs = int(per_token.sum()), len(same.kind) * len(codes)
    kept = 1 - num_flips / num_pairs
    lengths = codes.norm(dim=1).sort().values
    certified = torch.searchsorted(lengths, radii)
    return FlipCount(
        tokens=len(same.kind),
        positions=len(codes),
        reader=rule.name,
        pairs=num_pairs,
        flips=num_flips,
        kept=kept,
        low=kept,
        high=kept,
        certified=int((certified * copies).sum()) / num_pairs,
        tolerance=factor,
        flips_per_token=per_token,
        flips_per_position=(flips * copies[:, None]).sum(0),
        collisions=same.groups(),
        worst_flips=tuple(worst),
        keep=keep,
    )


def _safe_radii(rule: DecisionRule, smallest: Tensor) -> Tensor:
    """Distance of each token to its nearest cell boundary without a code."""
    if rule.name == "euclidean":
        return (smallest / 2).sqrt()
    # Of the cosine rule: the score margin is |e| d^2 / 2, and the boundary lies at margin / d.
    radii: Tensor = (smallest * rule.tokens.norm(dim=1) / 2).sqrt()
    return radii


def _with_copies(worst: list[Flip], same: Duplicates) -> list[Flip]:
    """The flips of every token, given those of the kinds of tokens."""
    found = [
        replace(flip, token=token, becomes=int(same.first[flip.becomes]))
        for flip in worst
        for token in same.members(flip.token)
    ]
    return sorted(found, key=_depth)
