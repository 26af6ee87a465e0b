"""Score functions: from queries and keys to attention weights.

The weights are a result in their own right: one pure function returns them, another applies
them, and the layer calls both. They are written out in elementary operations because the fused
kernels have no second derivative, which a gradient penalty on the discriminator needs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from orthogan.registry import Registry

Score = Callable[[Tensor, Tensor], Tensor]
_SCORES: Registry[Score] = Registry("attention score")

# Logits of the cosine score lie in [-8, 8]: sharp enough to select one of 50 tokens
# (weight e^8 / (e^8 + 49) = 0.98), and exp cannot overflow in any precision.
COSINE_SCALE = 8.0


@_SCORES.register("softmax")
def softmax(query: Tensor, key: Tensor) -> Tensor:
    r"""$\mathrm{softmax}(q k^\top / \sqrt K)$ (Vaswani et al. 2017, equation 1)."""
    scaled = query * query.shape[-1] ** -0.5
    logits: Tensor = scaled @ key.transpose(-1, -2)
    return logits.softmax(dim=-1)


@_SCORES.register("cosine")
def cosine(query: Tensor, key: Tensor) -> Tensor:
    r"""$\mathrm{softmax}(8 \cos(q, k))$ (Henry et al. 2020, "Query-key normalization")."""
    logits: Tensor = COSINE_SCALE * _unit(query) @ _unit(key).transpose(-1, -2)
    return logits.softmax(dim=-1)


def _unit(vectors: Tensor) -> Tensor:
    # Lengths of bfloat16 vectors are measured in float32; float64 stays float64.
    wide = torch.promote_types(vectors.dtype, torch.float32)
    return functional.normalize(vectors.to(wide), dim=-1).to(vectors.dtype)


def attention_weights(query: Tensor, key: Tensor, score: str = "softmax") -> Tensor:
    """Attention weights, one row a query; rows of softmax scores sum to one.

    Args:
        query: `B N T K`.
        key: `B N S K`.
        score: One of `score_names()`.

    Returns:
        Weights, `B N T S`.

    Raises:
        UnknownNameError: no such score.
    """
    weights: Tensor = _SCORES[score](query, key)
    return weights


def attend(weights: Tensor, value: Tensor) -> Tensor:
    """The values `B N S V` mixed by the weights `B N T S`: `B N T V`."""
    return weights.to(value.dtype) @ value


def score_names() -> list[str]:
    """Every registered score, in alphabetical order.

    >>> score_names()
    ['cosine', 'softmax']
    """
    return list(_SCORES)


def check_score(score: str) -> None:
    """Refuses a score that is not registered.

    Raises:
        UnknownNameError: no such score; the message holds the nearest.
    """
    _ = _SCORES[score]
