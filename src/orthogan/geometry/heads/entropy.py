r"""Attention entropy, and how low it can possibly be for logits of a given size."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError
from orthogan.geometry.collapse.readings import CollapseReading, collapse_reading
from orthogan.geometry.heads.forms import square
from orthogan.geometry.inputs import check_equal, exact
from orthogan.shapes import Form

# Rows of float32 weights sum to one within this.
ROUNDING = 1e-4


def attention_entropy(weights: Tensor) -> Tensor:
    r"""Entropy of every row of attention weights, in nats: $-\sum_j w_j \ln w_j$.

    From 0 (one token) to $\ln T$ (all alike).

    Args:
        weights: Rows of softmax weights, any leading axes.

    Raises:
        ShapeError: no row at all.
        DataError: a value is not finite or negative, or a row does not sum to one.

    Source: Shannon 1948. Not covered: scores without softmax, whose rows are no distributions.

    >>> attention_entropy(torch.tensor([[1.0, 0.0], [0.5, 0.5]])).tolist()
    [0.0, 0.693...]
    """
    leading = " ".join(["rows"] * (weights.ndim - 1))
    rows = exact("weights", weights, f"{leading} tokens")
    if bool((rows < 0).any()) or not bool(((rows.sum(-1) - 1).abs() <= ROUNDING).all()):
        raise DataError("'weights' are no distributions; pass softmax weights, which sum to one.")
    entropy: Tensor = torch.special.entr(rows).sum(-1)
    return entropy


def entropy_bound(norm: float, tokens: int) -> float:
    r"""The lowest entropy, in nats, of softmax over centred logits no longer than `norm`.

    $H \ge \ln(1 + (T - 1) \beta) + \sigma \sqrt{T (T - 1)} \frac{\beta}{1 + (T - 1) \beta}$ with
    $\beta = e^{-\sigma \sqrt{T / (T - 1)}}$; reached by `extremal_logits`.

    Args:
        norm: Largest Euclidean length $\sigma$ of a logit row less its mean.
        tokens: Tokens T in a row.

    Raises:
        ConfigError: a negative or infinite norm, or no token.

    Source: Zhai et al. 2023 ("Stabilizing transformer training by preventing attention entropy
        collapse"), theorem 3.1. With one logit raised over equal others the length fixes the gap
        $\sigma \sqrt{T / (T - 1)}$, and the bound is the entropy of that row.

    >>> round(entropy_bound(0.0, 8) - math.log(8), 12)
    0.0
    """
    if not (math.isfinite(norm) and norm >= 0):
        raise ConfigError(f"The norm of logits must be finite and not negative, got {norm}.")
    if tokens < 1:
        raise ConfigError(f"An attention row needs at least 1 token, got {tokens}.")
    if tokens == 1:
        return 0.0
    gap = norm * math.sqrt(tokens / (tokens - 1))
    beta = math.exp(-gap)
    return math.log1p((tokens - 1) * beta) + gap * (tokens - 1) * beta / (1 + (tokens - 1) * beta)


def extremal_logits(norm: float, tokens: int) -> Tensor:
    r"""The centred logit row of a given length whose softmax has the lowest entropy.

    $(\sqrt{(T - 1) / T}, -1 / \sqrt{T (T - 1)}, \dots)$ times the norm.

    >>> extremal_logits(2.0, 2).tolist()
    [1.414..., -1.414...]
    """
    entropy_bound(norm, tokens)  # the same refusals
    if tokens == 1:
        return torch.zeros(1, dtype=torch.float64)
    row = torch.full((tokens,), -1 / math.sqrt(tokens * (tokens - 1)), dtype=torch.float64)
    row[0] = math.sqrt((tokens - 1) / tokens)
    return norm * row


def largest_share(form: Form) -> float:
    r"""Share of a form's energy in its strongest direction: $\sigma_1^2 / \sum_k \sigma_k^2$.

    The inverse of the stable rank; 0 for a form of zeros.

    Args:
        form: $\Omega$ of one head.

    Raises:
        ShapeError: not square.
        DataError: a value is not finite.

    >>> round(largest_share(torch.eye(4)), 12)
    0.25
    """
    values = torch.linalg.svdvals(square("form", form))
    return float(1 / (values / values[0]).square().sum()) if values[0] > 0 else 0.0


@dataclass(frozen=True)
class EntropyState:
    """How sharp a head's attention is, and what allows it to be.

    Attributes:
        entropy: Mean over the rows, in nats.
        bound: Lowest possible for logits of this length.
        tokens: Tokens in a row.
        largest_share: Share of the form's energy in its strongest direction.
    """

    entropy: float
    bound: float
    tokens: int
    largest_share: float

    @property
    def uniform(self) -> float:
        """The highest possible entropy: that of weights that are all alike."""
        return math.log(self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; `json.dumps` takes it."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"entropy {self.entropy:.3g} nats (lowest possible {self.bound:.3g}, uniform "
            f"{self.uniform:.3g}), strongest direction {self.largest_share:.1%}"
        )


def entropy_state(logits: Tensor, form: Form) -> EntropyState:
    """Entropy of a head's attention beside its bound, and the concentration of its form.

    Args:
        logits: Rows of logits before softmax, rows x tokens, scale included.
        form: The head's form; see `head_forms`.

    Raises:
        ShapeError: not a table of rows, or a form that is not square.
        DataError: a value is not finite.

    >>> print(entropy_state(torch.zeros(3, 4), torch.eye(2)))
    entropy 1.39 nats (lowest possible 1.39, uniform 1.39), strongest direction 50.0%
    """
    rows = exact("logits", logits, "rows tokens")
    centred = rows - rows.mean(1, keepdim=True)
    norm = float(centred.norm(dim=1).max())
    return EntropyState(
        entropy=float(attention_entropy(rows.softmax(1)).mean()),
        bound=entropy_bound(norm, rows.shape[1]),
        tokens=rows.shape[1],
        largest_share=largest_share(form),
    )


def entropy_reading(
    before: EntropyState, after: EntropyState, threshold: float = 0.5
) -> CollapseReading:
    r"""Whether entropy fell for a bad reason: while the form's energy gathers in one direction.

    The value is entropy after over entropy before. A fall alone may be learning to select; with
    $\sigma_1^2 / \sum \sigma^2$ rising the head runs towards a single direction. Collapsed iff the
    value is at most the threshold and the share has risen.

    Args:
        before: An earlier state of the head.
        after: Its state now, over as many tokens.
        threshold: Remaining share of the entropy at which a fall counts.

    Raises:
        ShapeError: the states are of different numbers of tokens.

    Source: Zhai et al. 2023, section 3; the split into benign and malignant falls: Zhai's bound
        falls with the norm of $\Omega$ alone, and one direction reaches it.

    >>> early, late = EntropyState(2.0, 1.0, 9, 0.2), EntropyState(0.5, 0.1, 9, 0.9)
    >>> entropy_reading(early, late).verdict
    'collapsed'
    """
    check_equal("before", before.tokens, "after", after.tokens, "number of tokens")
    value = after.entropy / before.entropy if before.entropy else 1.0
    name = "attention entropy"
    risen = after.largest_share > before.largest_share
    if value <= threshold and not risen:
        note = "entropy fell while the form did not concentrate: selection, not collapse"
        return CollapseReading(name, value, 1.0, threshold, "healthy", False, note)
    return collapse_reading(name, value, 1.0, threshold, collapse_is_high=False)
