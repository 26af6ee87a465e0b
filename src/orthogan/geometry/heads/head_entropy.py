r"""Attention entropy from the weights alone, head by head, beside the lowest it could be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import DataError
from orthogan.geometry.heads.entropy import attention_entropy, entropy_bound
from orthogan.geometry.heads.forms import paired_weights
from orthogan.geometry.inputs import answer_dtype, exact
from orthogan.shapes import HeadKeys


@dataclass(frozen=True)
class HeadEntropies:
    """How sharp each head of a layer is.

    Attributes:
        entropy: One mean over images and rows a head, in nats.
        bound: Lowest possible for each head's logits, in nats.
        tokens: Tokens in a row; the highest entropy is its logarithm.
    """

    entropy: tuple[float, ...]
    bound: tuple[float, ...]
    tokens: int

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers; `json.dumps` takes it."""
        return {
            "entropy": list(self.entropy),
            "bound": list(self.bound),
            "tokens": self.tokens,
        }


def head_entropies(weights: Tensor) -> HeadEntropies:
    r"""Entropy of a layer's softmax weights, head by head, beside its lower bound.

    Up to a constant a row, which softmax ignores, the logits are the logarithms of the weights;
    so the length $\sigma$ of the longest centred row needs no logits.

    Args:
        weights: Images x heads x tokens x context tokens; rows are brought to sum one, since
            weights in half precision miss it.

    Raises:
        ShapeError: other axes, or an empty one.
        DataError: a value is not finite or negative, or a row is zero.

    Source: Zhai et al. 2023, theorem 3.1; see `entropy_bound`. Weights that rounded to 0 count as
        the smallest number of their precision, which makes the bound higher than it is.

    >>> head_entropies(torch.full((2, 1, 3, 4), 0.25)).bound
    (1.386...,)
    """
    smallest = torch.finfo(answer_dtype(weights)).tiny
    rows = exact("weights", weights, "images heads tokens context")
    totals = rows.sum(-1, keepdim=True)
    if bool((rows < 0).any()) or not bool((totals > 0).all()):
        raise DataError("'weights' are no distributions; pass softmax weights, which sum to one.")
    logits = rows.clamp_min(smallest).log()
    lengths = (logits - logits.mean(-1, keepdim=True)).norm(dim=-1).amax(dim=(0, 2))
    tokens = rows.shape[-1]
    return HeadEntropies(
        entropy=tuple(attention_entropy(rows / totals).mean(dim=(0, 2)).tolist()),
        bound=tuple(entropy_bound(length, tokens) for length in lengths.tolist()),
        tokens=tokens,
    )


def largest_shares(query: HeadKeys, key: HeadKeys) -> tuple[float, ...]:
    r"""Share of each head's form in its strongest direction, $\sigma_1^2 / \sum_k \sigma_k^2$.

    $\Omega = W_q W_k^\top = Q_q (R_q R_k^\top) Q_k^\top$ has the singular values of the small
    matrix in brackets, so nothing of size width x width is decomposed.

    Args:
        query: Query matrices, heads x width x key size.
        key: Key matrices likewise.

    Returns:
        One share a head; 0 for a form of zeros.

    Raises:
        ShapeError: not heads x width x key size, or different sizes.
        DataError: a value is not finite.

    Source: `largest_share` of `head_forms`, by the QR decompositions of both factors.

    >>> largest_shares(torch.eye(2)[None], torch.eye(2)[None])
    (0.5,)
    """
    left, right = paired_weights(query, key)
    inner = torch.linalg.qr(left).R @ torch.linalg.qr(right).R.transpose(1, 2)
    values = torch.linalg.svdvals(inner)
    largest = values[:, :1]
    shares = 1 / (values / largest.where(largest > 0, 1.0)).square().sum(1)
    return tuple(torch.where(largest[:, 0] > 0, shares, 0.0).tolist())
