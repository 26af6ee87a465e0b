r"""What attention can and cannot do when its logits are symmetric, as with queries tied to keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.heads.forms import FLOAT32_ROUNDING, TOLERANCE, square
from orthogan.geometry.inputs import check_at_least


@dataclass(frozen=True)
class Chain:
    """Softmax attention over symmetric logits, seen as a Markov chain on the tokens.

    Attributes:
        stationary: Share of time spent on each token; sums to one.
        spectrum: Eigenvalues of the weights in descending order; real, and the first is 1.
        balance_error: Largest violation of detailed balance; rounding only.
        is_positive: Whether the logits are positive semi-definite, so that the spectrum lies in
            [0, 1] and not only in [-1, 1].
    """

    stationary: tuple[float, ...]
    spectrum: tuple[float, ...]
    balance_error: float
    is_positive: bool

    @property
    def gap(self) -> float:
        """1 less the second largest eigenvalue: how fast repeated mixing forgets; 1 for one token.

        >>> round(reversible_chain(torch.zeros(3, 3)).gap, 12)
        1.0
        """
        return 1.0 - (self.spectrum[1] if len(self.spectrum) > 1 else 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `json.dumps` takes it."""
        return {
            "stationary": list(self.stationary),
            "spectrum": list(self.spectrum),
            "balance_error": self.balance_error,
            "is_positive": self.is_positive,
            "gap": self.gap,
        }

    def __str__(self) -> str:
        low, most = self.spectrum[-1], max(self.stationary)
        return (
            f"reversible chain of {len(self.stationary)} tokens, spectrum {low:.3g} to 1, "
            f"gap {self.gap:.3g}, busiest token {most:.1%} of the time"
        )


def reversible_chain(logits: Tensor) -> Chain:
    r"""The Markov chain that softmax attention makes of symmetric logits: always a reversible one.

    $P_{ij} = e^{S_{ij}} / Z_i$ has $\pi_i = Z_i / \sum_k Z_k$ and $\pi_i P_{ij} = \pi_j P_{ji}$.
    Its eigenvalues are those of $Z^{-1/2} e^S Z^{-1/2}$, hence real; for positive semi-definite
    $S$ the entrywise exponential is positive semi-definite too, so they lie in [0, 1].

    Args:
        logits: Tokens x tokens, symmetric.

    Raises:
        ShapeError: not square.
        DataError: a value is not finite, or the logits are not symmetric.

    Source: entrywise exponential: Schur 1911 (product theorem), term by term of the series;
        reversibility: Levin and Peres 2017, section 1.6. Not covered: masked attention, which is
        not symmetric.

    >>> chain = reversible_chain(torch.tensor([[1.0, 0.5], [0.5, 1.0]]))
    >>> chain.stationary, chain.is_positive
    ((0.5, 0.5), True)
    """
    scores = _symmetric(logits)
    sums = scores.logsumexp(1)
    stationary = sums.softmax(0)
    weights = (scores - sums[:, None]).exp()
    balanced = stationary[:, None] * weights
    # e^S scaled on both sides, in logarithms so that large logits do not overflow.
    kernel = (scores - (sums[:, None] + sums) / 2).exp()
    values = torch.linalg.eigvalsh((kernel + kernel.T) / 2).flip(0)
    own = torch.linalg.eigvalsh(scores)
    return Chain(
        stationary=tuple(stationary.tolist()),
        spectrum=tuple(values.tolist()),
        balance_error=float((balanced - balanced.T).abs().max()),
        is_positive=bool(own[0] >= -TOLERANCE * own.abs().max()),
    )


@dataclass(frozen=True)
class PreviousToken:
    """How clearly every token prefers its predecessor.

    Attributes:
        margin: Smallest lead of the predecessor's logit over the best other one; positive iff
            every token that has a predecessor attends to it most.
        mean_lead: Mean lead over the successor's logit, over tokens that have both.
        range: Largest logit less the smallest.
        cyclic: Whether the first token has the last as its predecessor.
    """

    margin: float
    mean_lead: float
    range: float
    cyclic: bool

    @property
    def is_previous_token_head(self) -> bool:
        """Whether every token attends most to its predecessor."""
        return self.margin > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; `json.dumps` takes it."""
        return {
            "margin": self.margin,
            "mean_lead": self.mean_lead,
            "range": self.range,
            "cyclic": self.cyclic,
            "is_previous_token_head": self.is_previous_token_head,
        }

    def __str__(self) -> str:
        verdict = "" if self.is_previous_token_head else "not "
        kind = "cyclic " if self.cyclic else ""
        return f"{verdict}a {kind}previous-token head, margin {self.margin:.3g}"


def previous_token(logits: Tensor, cyclic: bool = False) -> PreviousToken:
    r"""Whether attention with these logits looks at the previous token, everywhere.

    With symmetric logits and $n \ge 3$ tokens:

    - on a cycle it cannot: the leads $S_{i,i-1} - S_{i,i+1}$ sum to 0, so one is not positive;
    - nor with logits that depend on the offset only, where both neighbours tie;
    - on an open chain it can, at a price: the leads telescope to $S_{1,0} - S_{n-1,n-2}$, and the
      last row adds $S_{n-1,n-2} - S_{n-1,0}$, so a margin m in every row costs a range of at least
      $(n - 1) m$ and the logits fall along the chain. Bounded logits hold a clear previous-token
      head on short chains only;
    - if they are positive semi-definite as well, lengths fall too: by Cauchy-Schwarz
      $S_{ii} < S_{i,i-1} \le \sqrt{S_{ii} S_{i-1,i-1}}$. With equal lengths, as after a
      normalisation, every token attends most to itself.

    Args:
        logits: Tokens x tokens, at least three tokens.
        cyclic: The first token has the last as its predecessor; otherwise its row is left out.

    Raises:
        ShapeError: not square, or fewer than three tokens.
        DataError: a value is not finite.

    Source: symmetry turns $S_{i,i+1}$ into $S_{i+1,i}$ and the sums telescope.

    >>> falling = torch.diag(torch.tensor([3.0, 2.0, 1.0]), -1)
    >>> found = previous_token(falling + falling.T)
    >>> found.is_previous_token_head, found.margin, found.mean_lead
    (True, 1.0, 1.0)
    """
    scores = square("logits", logits)
    count = len(scores)
    check_at_least("logits", count, 3, "tokens", "to tell both neighbours apart")
    rows = torch.arange(0 if cyclic else 1, count)
    before = scores[rows, rows - 1]
    others = scores[rows].clone()
    others[torch.arange(len(rows)), rows - 1] = -torch.inf
    both = rows if cyclic else rows[:-1]
    leads = scores[both, both - 1] - scores[both, (both + 1) % count]
    return PreviousToken(
        margin=float((before - others.amax(1)).min()),
        mean_lead=float(leads.mean()),
        range=float(scores.max() - scores.min()),
        cyclic=cyclic,
    )


def _symmetric(logits: Tensor) -> Tensor:
    scores = square("logits", logits)
    if float((scores - scores.T).abs().max()) > FLOAT32_ROUNDING * float(scores.abs().max()):
        raise DataError(
            "'logits' are not symmetric, so the chain need not be reversible; pass logits of "
            "queries tied to keys."
        )
    return (scores + scores.T) / 2
