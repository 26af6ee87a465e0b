r"""Decision rules: how a displaced token is recognised.

Every rule gives token j the score $\langle x, a_j \rangle + c_j$ at the point x and names the
token of the largest score:

- `euclidean`, the nearest token: $a_j = e_j$, $c_j = -\|e_j\|^2 / 2$;
- `cosine`, the smallest angle: $a_j = \hat e_j$, $c_j = 0$;
- `logits`, a tied unembedding: $a_j = e_j$, $c_j = b_j$.

So token i is kept at $x = e_i + p$ iff for every other j
$\langle p, a_j - a_i \rangle \le g_{ij}$, where the score margin
$g_{ij} = \langle e_i, a_i - a_j \rangle + c_i - c_j$ is how far token i scores above token j at
its own place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import ConfigError, ShapeError, UnknownNameError
from orthogan.geometry.inputs import check_directions, finite

DECISION_RULES = ("euclidean", "cosine", "logits")


@dataclass(frozen=True)
class DecisionRule:
    """A decision rule of one token table, in float64.

    Attributes:
        name: One of `READERS`.
        tokens: The places $e_i$ the tokens are displaced from.
        directions: The vectors $a_j$.
        offsets: The numbers $c_j$.
        bias: Bias of the logits; zeros for the other decision rules.
    """

    name: str
    tokens: Tensor
    directions: Tensor
    offsets: Tensor
    bias: Tensor

    def restricted(self, rows: Tensor) -> DecisionRule:
        """The decision rule of some of the tokens only, in ascending order."""
        if len(rows) == len(self.tokens):
            return self
        tokens = self.tokens[rows]
        shared = self.directions is self.tokens
        directions = tokens if shared else self.directions[rows]
        return DecisionRule(self.name, tokens, directions, self.offsets[rows], self.bias[rows])

    def score_margins(self, first: Tensor, second: Tensor) -> Tensor:
        """Score margins $g_{ij}$ of pairs, from differences of rows: near pairs lose no digits."""
        apart = self.directions[second] - self.directions[first]
        if self.name == "euclidean":
            return apart.square().sum(1) / 2
        if self.name == "cosine":  # 1 - cos of two unit vectors is half their squared distance
            margins: Tensor = self.tokens[first].norm(dim=1) * apart.square().sum(1) / 2
            return margins
        ahead = self.offsets[first] - self.offsets[second]
        return ahead - (self.tokens[first] * apart).sum(1)


def decision_rule(
    name: str, tokens: Tensor, bias: Tensor | None = None, scale: float = 1.0
) -> DecisionRule:
    """The decision rule of that name for a checked float64 table.

    Args:
        name: One of `READERS`.
        tokens: The table.
        bias: One number a token, for `logits` only.
        scale: Factor on the table. Scores of logits, and so their bias, go with its square.

    Raises:
        UnknownNameError: no such decision rule.
        ConfigError: a bias for a decision rule that has none.
        ShapeError: not one bias a token.
        DataError: a bias is not finite, or a token is zero, which has no cosine.
    """
    if name not in DECISION_RULES:
        raise UnknownNameError("reader", name, DECISION_RULES)
    numbers = _bias_of(name, len(tokens), bias) * scale * scale
    places = tokens * scale
    if name == "cosine":
        check_directions(tokens)
        near_one = tokens / tokens.abs().amax(1, keepdim=True)
        unit = near_one / near_one.norm(dim=1, keepdim=True)
        return DecisionRule(name, places, unit, torch.zeros_like(numbers), numbers)
    offsets = numbers if name == "logits" else -places.square().sum(1) / 2
    return DecisionRule(name, places, places, offsets, numbers)


def _bias_of(name: str, num_tokens: int, bias: Tensor | None) -> Tensor:
    if bias is None:
        return torch.zeros(num_tokens, dtype=torch.float64)
    if name != "logits":
        raise ConfigError(f"'bias' belongs to the 'logits' reader; the '{name}' reader has none.")
    if bias.shape != (num_tokens,):
        raise ShapeError(
            f"'bias' needs one number a token: shape ({num_tokens},), got {tuple(bias.shape)}."
        )
    return finite("bias", bias)
