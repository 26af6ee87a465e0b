r"""Whether a displaced token is still read as itself, and how far it is from becoming another.

A token is kept when no other token is strictly better: ties are kept, and tokens with the same
vector (collisions) never take each other's identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from orthogan.geometry.identity.decision_rules import DecisionRule, decision_rule
from orthogan.geometry.inputs import answer_dtype, binary_scale, displacement, token_table

BLOCK_ROWS = 64  # 64 x 30,000 float64 values are 15 MB
BLOCK_PAIRS = 4096  # 4096 x 768 float64 values are 25 MB
# Below this share of |a_i|^2 + |a_j|^2 a squared distance has lost four digits to cancellation in
# the Gram matrix, and is taken again from the difference of the rows.
CLOSE = 1e-4
TIED = 1e-12  # of the scores' sizes: below, float64 rounding decides the sign of a difference
PERPENDICULAR = 1e-12  # relative size of a dot product that float64 rounding explains


@dataclass(frozen=True)
class Boundaries:
    r"""Walls between some tokens (rows) and every token (columns).

    Attributes:
        score_margin: $g_{ij}$, how far token i scores above token j at its own place.
        distance: $\|a_j - a_i\|$; 0 for the token itself and its collisions.
        projection: $\langle p, a_j - a_i \rangle$: what the displacement takes from it.
    """

    score_margin: Tensor
    distance: Tensor
    projection: Tensor

    def margins(self) -> Tensor:
        """Signed distance of every displaced row token to its nearest cell boundary."""
        left = self.score_margin - self.projection
        # No cell boundary separates equal directions: one of the two always wins, or neither does.
        never = torch.full_like(left, torch.inf).masked_fill(left < 0, -torch.inf)
        return torch.where(self.distance > 0, left / self.distance, never).amin(1)

    def at_rest(self) -> Boundaries:
        """The same without a displacement."""
        return replace(self, projection=torch.zeros_like(self.projection))

    def tolerances(self) -> Tensor:
        """The factor on the displacement at which every row token meets its first cell boundary."""
        factors = (self.score_margin / self.projection).masked_fill(self.projection <= 0, torch.inf)
        factor = factors.amin(1)
        return factor.masked_fill((self.score_margin < 0).any(1), 0.0)


def identity_margin(
    tokens: Tensor, shift: Tensor, reader: str = "euclidean", bias: Tensor | None = None
) -> Tensor:
    r"""How far each shifted token is from becoming another token.

    $m_i = \min_{j \ne i} \left(\tfrac12 \|e_j - e_i\| - \langle p, u_{ij} \rangle\right)$ with
    $u_{ij} = (e_j - e_i) / \|e_j - e_i\|$; for any decision rule
    $m_i = \min_{j \ne i} (g_{ij} - \langle p, a_j - a_i \rangle) / \|a_j - a_i\|$.

    While positive it is the distance from $e_i + p$ to the boundary of its cell.

    Args:
        tokens: Embedding table, one row a token.
        shift: Displacement added to every token.
        reader: `euclidean` (nearest token), `cosine` (smallest angle) or `logits`
            (tied unembedding; may fail without any displacement).
        bias: One number a token, for the `logits` decision rule only.

    Returns:
        One margin a token, in embedding units; negative where the identity flips, infinite where
        there is no other token to become.

    Raises:
        ShapeError: not a matrix and a vector of one width.
        DataError: a value is not finite, or the cosine decision rule meets a zero token.
        UnknownNameError: no such decision rule.

    Source: x is nearer to e_j than to e_i iff <x - (e_i + e_j) / 2, e_j - e_i> > 0.
    Not covered: displacements that differ between positions; `count_flips` takes a table of codes.

    >>> identity_margin(torch.eye(2), torch.zeros(2))
    tensor([0.7071, 0.7071])
    """
    table, moved = token_table(tokens), displacement(tokens, shift)
    blocks, scale = _blocks(table, moved, reader, bias)
    margins = torch.cat([block.margins() for block in blocks])
    return (margins / scale).to(answer_dtype(tokens, shift))


def tolerance(
    tokens: Tensor, shift: Tensor, reader: str = "euclidean", bias: Tensor | None = None
) -> Tensor:
    r"""The largest factor each token's displacement can be scaled by with its identity kept.

    $\lambda_i = \min_j \{g_{ij} / \langle p, a_j - a_i \rangle :
    \langle p, a_j - a_i \rangle > 0\}$: where the ray $e_i + \lambda p$ leaves the cell.

    Args:
        tokens: Embedding table, one row a token.
        shift: Displacement added to every token.
        reader: As in `identity_margin`.
        bias: As in `identity_margin`.

    Returns:
        One factor a token; infinite where no length flips it, 0 where the `logits` rule does not
        name the token even without a displacement.

    Raises:
        ShapeError: not a matrix and a vector of one width.
        DataError: a value is not finite, or the cosine decision rule meets a zero token.
        UnknownNameError: no such decision rule.

    Source: g_ij - lambda <p, a_j - a_i> is linear in lambda.

    >>> tolerance(torch.tensor([[0.0], [1.0]]), torch.tensor([0.25]))
    tensor([2., inf])
    """
    table, moved = token_table(tokens), displacement(tokens, shift)
    blocks, _ = _blocks(table, moved, reader, bias)
    factors = torch.cat([block.tolerances() for block in blocks])
    return factors.to(answer_dtype(tokens, shift))


def safe_radius(tokens: Tensor, reader: str = "euclidean", bias: Tensor | None = None) -> Tensor:
    r"""The length below which no displacement at all flips a token.

    $r_i = \tfrac12 \min_j \|e_j - e_i\|$ for the Euclidean decision rule: sufficient, reached by
    displacements along a token difference, and usually far too pessimistic.

    Args:
        tokens: Embedding table, one row a token.
        reader: As in `identity_margin`.
        bias: As in `identity_margin`.

    Raises:
        ShapeError: not a matrix.
        DataError: a value is not finite, or the cosine decision rule meets a zero token.
        UnknownNameError: no such decision rule.

    >>> safe_radius(torch.tensor([[0.0], [1.0], [4.0]]))
    tensor([0.5000, 0.5000, 1.5000])
    """
    table = token_table(tokens)
    blocks, scale = _blocks(table, torch.zeros(table.shape[1], dtype=torch.float64), reader, bias)
    return (torch.cat([block.margins() for block in blocks]) / scale).to(answer_dtype(tokens))


def is_perpendicular(tokens: Tensor, shift: Tensor) -> bool:
    r"""Whether a displacement is perpendicular to every difference of tokens, up to rounding.

    Then $\langle p, e_j - e_i \rangle = 0$ for all pairs, and no length of it flips a token under
    the Euclidean rule. A table whose differences span the whole space leaves no such direction.

    Raises:
        ShapeError: not a matrix and a vector of one width.
        DataError: a value is not finite.

    >>> plane = torch.tensor([[0.0, 0.0, 5.0], [1.0, 0.0, 5.0], [0.0, 1.0, 5.0]])
    >>> is_perpendicular(plane, torch.tensor([0.0, 0.0, 9.0]))
    True
    """
    table, moved = token_table(tokens), displacement(tokens, shift)
    moved = moved * binary_scale(moved)
    table = table * binary_scale(table)
    apart = table - table[:1]
    return bool(((apart @ moved).abs() <= PERPENDICULAR * (apart.abs() @ moved.abs())).all())


def boundaries_of(
    rule: DecisionRule, rows: Tensor, shifts: Tensor, centred: Tensor | None = None
) -> Boundaries:
    """The cell boundaries around some tokens.

    Args:
        rule: Of a scaled table.
        rows: Indices of the tokens.
        shifts: One displacement for all of them (a vector) or one a row (a matrix).
        centred: The decision rule's directions less their mean, where the caller has them.
    """
    if centred is None:
        centred = rule.directions - rule.directions.mean(0)
    norms = centred.square().sum(1)
    squared = norms[rows, None] + norms - 2 * centred[rows] @ centred.T
    scores = shifts @ centred.T
    if shifts.ndim == 1:
        projection = scores - scores[rows, None]
    else:
        projection = scores - scores.gather(1, rows[:, None])
    score_margin = _score_margins(rule, centred, rows, squared)
    place, other = (squared <= CLOSE * (norms[rows, None] + norms)).nonzero(as_tuple=True)
    for near, j in zip(place.split(BLOCK_PAIRS), other.split(BLOCK_PAIRS), strict=True):
        i = rows[near]
        apart = rule.directions[j] - rule.directions[i]
        squared[near, j] = apart.square().sum(1)
        score_margin[near, j] = rule.score_margins(i, j)
        step = shifts if shifts.ndim == 1 else shifts[near]
        projection[near, j] = (apart * step).sum(1)
    return Boundaries(score_margin, squared.clamp_min(0).sqrt(), projection)


def _blocks(
    table: Tensor, moved: Tensor, name: str, bias: Tensor | None
) -> tuple[Iterator[Boundaries], float]:
    scale = binary_scale(table, moved)
    rule = decision_rule(name, table, bias, scale)
    centred = rule.directions - rule.directions.mean(0)
    index = torch.arange(len(table)).split(BLOCK_ROWS)
    return (boundaries_of(rule, rows, moved * scale, centred) for rows in index), scale


def _score_margins(rule: DecisionRule, centred: Tensor, rows: Tensor, squared: Tensor) -> Tensor:
    if rule.name == "euclidean":
        return squared / 2
    if rule.name == "cosine":
        score_margins: Tensor = rule.tokens[rows].norm(dim=1, keepdim=True) * squared / 2
        return score_margins
    scores = rule.tokens[rows] @ centred.T + rule.offsets
    own = scores.gather(1, rows[:, None])
    margins = own - scores
    # Centring rounds, so what is left of a tie is noise of either sign: taken again from the rows.
    noise = TIED * (own.abs() + scores.abs() + rule.offsets.abs())
    place, other = (margins.abs() <= noise).nonzero(as_tuple=True)
    for near, j in zip(place.split(BLOCK_PAIRS), other.split(BLOCK_PAIRS), strict=True):
        margins[near, j] = rule.score_margins(rows[near], j)
    return margins
