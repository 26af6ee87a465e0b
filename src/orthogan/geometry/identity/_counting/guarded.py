r"""Scores in float32 with a guard: bounds that hold whatever the order of the sums was.

A dot product of D terms, computed in any order, is off by at most
$\gamma_D \sum_k |x_k y_k| \le \gamma_D \|x\| \|y\|$ with $\gamma_n = n u / (1 - n u)$ and
$u = 2^{-24}$. So a float32 product proves most answers, and the few it cannot prove are decided
elsewhere.

Source: Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from orthogan.geometry.identity.decision_rules import DecisionRule
from orthogan.geometry.inputs import binary_scale

UNIT = 2.0**-24
EXTRA_ROUNDINGS = 96  # of the inputs to float32, the offsets, the guards and the sums of a test
UNDERFLOW = 1e-30  # far above what float32 can lose of scaled entries
GROUP = 32  # positions whose extremes bound a pair of tokens at once
ALL = slice(None)


@dataclass(frozen=True)
class GuardedScores:
    """Float32 tables of one decision rule and some codes; every bound below includes all rounding.

    Attributes:
        tokens: Places of the tokens.
        directions: Directions of the decision rule, less their mean (which moves no difference).
        own: Lower bound of the part of a score margin that belongs to the displaced token.
        others: Lower bound of the part of it that the other token alone decides.
        own_guard: Half the width of the bounds on a score margin that the displaced token adds.
        other_guard: Half the width that the other token adds.
        projections: Upper bound of <p_t, a_j>, one row a token, one column a position.
        slack: How far `projections` may lie above the lower bound, for a direction of length 1.
        lengths: Lengths of the directions.
        code_lengths: Lengths of the codes, rounded up.
        curve: Squared distances of directions over twice the score margins, one a displaced
            token; None where score margins do not decide distances.
        rest: Margins without a code, or lower bounds of them.
    """

    tokens: Tensor
    directions: Tensor
    own: Tensor
    others: Tensor
    own_guard: Tensor
    other_guard: Tensor
    projections: Tensor
    slack: Tensor
    lengths: Tensor
    code_lengths: Tensor
    curve: Tensor | None
    rest: Tensor

    @property
    def symmetric(self) -> bool:
        """Whether the products of a pair are the same from both sides."""
        return self.tokens is self.directions

    @property
    def groups(self) -> list[slice]:
        """Runs of positions, `GROUP` in each but the last."""
        total = self.projections.shape[1]
        return [slice(begin, min(begin + GROUP, total)) for begin in range(0, total, GROUP)]

    def low_projections(self, tokens: Tensor | slice, span: slice = ALL) -> Tensor:
        """Lower bounds of <p_t, a_i>."""
        return self.projections[:, span][tokens] - self.lengths[tokens, None] * self.slack[span]

    @cached_property
    def peak(self) -> Tensor:
        """Per token, the largest upper bound of any position."""
        return self.group_top.amax(1)

    @cached_property
    def trough(self) -> Tensor:
        """Per token, the smallest lower bound of any position."""
        return self.group_low.amin(1)

    @cached_property
    def group_top(self) -> Tensor:
        """Largest upper bound in each group of positions, one row a token."""
        return torch.stack([group.amax(1) for group in self.projections.split(GROUP, dim=1)], 1)

    @cached_property
    def group_low(self) -> Tensor:
        """Smallest lower bound in each group of positions, one row a token."""
        lows = []
        for group, slack in zip(
            self.projections.split(GROUP, dim=1), self.slack.split(GROUP), strict=True
        ):
            lows.append(group.amin(1) - self.lengths * slack.max())
        return torch.stack(lows, 1)

    @cached_property
    def grouped_projections(self) -> Tensor:
        """The upper bounds once more, `tokens groups GROUP`; minus infinity past the end."""
        return in_groups(self.projections, -torch.inf)

    def pair_guards(self, first: Tensor, second: Tensor) -> Tensor:
        """How far the lower bounds of score margins of pairs may lie below them."""
        return 2 * (self.own_guard[first] + self.other_guard[second])

    def distances(self, first: Tensor, second: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
        """Bounds of the distances of the directions of pairs, from bounds of score margins."""
        if self.curve is not None:
            curve = 2 * self.curve[first]
            high = margin + self.pair_guards(first, second)
            return (margin.clamp_min(0) * curve).sqrt(), (high * curve).sqrt()
        distance = (self.directions[second] - self.directions[first]).norm(dim=-1)
        guard = _share(self.directions.shape[1]) * distance
        guard += 2 * UNIT * (self.lengths[first] + self.lengths[second])
        return (distance - guard).clamp_min(0), distance + guard

    def depth_caps(self, tokens: Tensor, span: slice = ALL) -> Tensor:
        """Upper bounds of how far some tokens can be beyond a cell boundary at every position."""
        return (self.code_lengths[span] - self.rest[tokens, None]).clamp_min(0)

    def pair_bounds(self, first: Tensor, second: Tensor) -> Tensor:
        """Upper bounds of what any position adds to the score of `second` over `first`."""
        return (self.group_top[second] - self.group_low[first]).amax(1)


def guarded_scores(rule: DecisionRule, codes: Tensor, rest: Tensor) -> GuardedScores:
    """The float32 tables of a scaled decision rule and codes in the same scale.

    Args:
        rule: The decision rule, float64.
        codes: One row a position, float64.
        rest: Margins of the tokens without a code, or lower bounds of them.
    """
    euclidean = rule.name == "euclidean"
    directions = rule.directions - rule.directions.mean(0)
    tokens = directions if euclidean else rule.tokens
    offsets = -directions.square().sum(1) / 2 if euclidean else rule.offsets
    curve: Tensor | None = torch.ones(len(tokens)) if euclidean else None
    factor = 1.0
    if not euclidean:  # places and directions of like size: the guards add their squares
        factor = binary_scale(directions) / binary_scale(tokens, codes)
        directions, offsets = directions * factor, offsets * factor
    if rule.name == "cosine":  # score margins are f |e| d^2 / 2 for directions f times unit ones
        curve = (factor / rule.tokens.norm(dim=1)).float()
    own = (tokens * directions).sum(1) + offsets
    size, length = tokens.norm(dim=1), directions.norm(dim=1)
    share = _share(codes.shape[1])
    own_guard = share * (size.square() / 2 + size * length + offsets.abs()) + UNDERFLOW
    other_guard = share * (length.square() / 2 + offsets.abs()) + UNDERFLOW
    code_lengths = codes.norm(dim=1)
    guard = share * code_lengths + UNDERFLOW
    narrow = directions.float()
    projections = narrow @ codes.float().T
    # A tiny constant keeps the bounds apart for directions of length 0 too.
    long = (length * (1 + 1e-6) + UNDERFLOW).float()
    return GuardedScores(
        tokens=narrow if euclidean else tokens.float(),
        directions=narrow,
        own=(own - own_guard).float(),
        others=(-offsets - other_guard).float(),
        own_guard=own_guard.float(),
        other_guard=other_guard.float(),
        projections=projections.addcmul_(long[:, None], guard.float()),
        slack=2 * guard.float(),
        lengths=long,
        code_lengths=(code_lengths * (1 + 1e-6)).float(),
        curve=curve,
        rest=(rest * (1 - 1e-6 * rest.sign())).float(),
    )


def in_groups(values: Tensor, fill: float) -> Tensor:
    """The last axis, positions, as groups of `GROUP`; the last one is filled up."""
    missing = -values.shape[-1] % GROUP
    filled = pad(values, (0, missing), value=fill) if missing else values
    grouped: Tensor = filled.unflatten(-1, (-1, GROUP))
    return grouped


def _share(width: int) -> float:
    steps = (width + EXTRA_ROUNDINGS) * UNIT
    return steps / (1 - steps)
