"""Score functions: from queries and keys to attention weights.

The weights are a result in their own right: one pure function returns them, another applies
them, and the layer calls both. They are written out in elementary operations because the fused
kernels have no second derivative, which a gradient penalty on the discriminator needs; where
nobody asks for the weights of a long sequence, `orthogan.attention.fused` takes their place.

A score takes a query `B N T K`, a key `B N S K` and a mask, to be broadcast over `B N T S`, or
None. It must leave masked keys out of its normalisation; their weights are set to 0 afterwards.
Scores whose rows sum to one pass the mask to `distribution`, which takes masks to be added as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from orthogan.attention.masks import is_allowed, num_readable, per_head
from orthogan.errors import ConfigError
from orthogan.registry import TraitRegistry
from orthogan.shapes import HeadMask, HeadOutput, Key, Mask, Query, SharedWeights, Value, Weights

Weigh: TypeAlias = Callable[[Query, Key, HeadMask | None], Weights]


class Score(NamedTuple):
    """A score function and what else may be done with it.

    Attributes:
        weigh: From query, key and mask to weights.
        sums_to_one: Each row of weights is a distribution.
        reads_products: The weights depend on query and key through their dot products alone.
        is_linear: The weights are the dot products, up to a factor a row.
    """

    weigh: Weigh
    sums_to_one: bool = False
    reads_products: bool = True
    is_linear: bool = False


SCORES = TraitRegistry("attention score", Score, "orthogan.attention.scores", group="scores")

# Logits of the cosine score lie in [-8, 8]: sharp enough to select one of 50 tokens
# (weight e^8 / (e^8 + 49) = 0.98), and exp cannot overflow in any precision.
COSINE_SCALE = 8.0
# Squares of float32 numbers above it do not vanish, nor do those of their reciprocals overflow.
SHORTEST = 1e-12


@SCORES.register("softmax", sums_to_one=True)
def softmax(query: Query, key: Key, mask: HeadMask | None = None) -> Weights:
    r"""$\mathrm{softmax}(q k^\top / \sqrt K)$ (Vaswani et al. 2017, equation 1)."""
    return distribution(scaled_products(query, key), mask)


@SCORES.register("none", is_linear=True)
def none(query: Query, key: Key, mask: HeadMask | None = None) -> Weights:
    r"""$q k^\top / S$ (Cao 2021, "Choose a transformer: Fourier or Galerkin", section 3)."""
    # By the number of keys, or outputs would grow with the length of a sequence.
    return (query / num_readable(query, key, mask)) @ key.transpose(-1, -2)


@SCORES.register("relu")
def relu(query: Query, key: Key, mask: HeadMask | None = None) -> Weights:
    r"""$\mathrm{relu}(q k^\top / \sqrt K) / S$ (Wortsman et al. 2023, "Replacing softmax...")."""
    return scaled_products(query / num_readable(query, key, mask), key).relu()


@SCORES.register("sigmoid")
def sigmoid(query: Query, key: Key, mask: HeadMask | None = None) -> Weights:
    r"""$\sigma(q k^\top / \sqrt K - \log S)$ (Ramapuram et al. 2024, "Sigmoid self-attention")."""
    # Minus log S: at the start a row then sums to about one, as a row of softmax does.
    return (scaled_products(query, key) - num_readable(query, key, mask).log()).sigmoid()


@SCORES.register("cosine", sums_to_one=True, reads_products=False)
def cosine(query: Query, key: Key, mask: HeadMask | None = None) -> Weights:
    r"""$\mathrm{softmax}(8 \cos(q, k))$ (Henry et al. 2020, "Query-key normalization")."""
    logits: Tensor = COSINE_SCALE * unit(query) @ unit(key).transpose(-1, -2)
    return distribution(logits, mask)


@SCORES.register("l2", sums_to_one=True, reads_products=False)
def l2(query: Query, key: Key, mask: HeadMask | None = None) -> Weights:
    r"""$\mathrm{softmax}(-|q - k|^2 / \sqrt K)$ (Kim et al. 2021, "The Lipschitz constant...")."""
    # |q|^2 is common to a row, and softmax ignores what is.
    lengths = key.square().sum(-1) * key.shape[-1] ** -0.5
    return distribution(2 * scaled_products(query, key) - lengths.unsqueeze(-2), mask)


def scaled_products(query: Query, key: Key) -> Weights:
    r"""The logits $q k^\top / \sqrt K$, of unit variance for independent unit coordinates."""
    # On the query, T x K numbers, and not on the logits, T x S: fewer to multiply and to keep.
    scaled = query * query.shape[-1] ** -0.5
    logits: Tensor = scaled @ key.transpose(-1, -2)
    return logits


def distribution(logits: Weights, mask: HeadMask | None) -> Weights:
    """Softmax over the keys that the mask allows; over all of them where it allows none.

    A mask of floating point numbers is added to the logits first.
    """
    if mask is not None:
        allowed = is_allowed(mask)
        if mask is not allowed:
            logits = logits + mask.masked_fill(~allowed, 0.0).to(logits.dtype)
        # Not minus infinity: a row without any key would then be NaN, and so its gradient.
        logits = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
    return logits.softmax(dim=-1)


def unit(vectors: Tensor) -> Tensor:
    """Vectors of length one along the last axis, in the precision they come in.

    A vector no longer than `SHORTEST` has no direction: it becomes 0, as do all its derivatives.
    """
    # Lengths of bfloat16 vectors are measured in float32; float64 stays float64.
    wide = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    with torch.no_grad():
        is_short = torch.linalg.vector_norm(wide, dim=-1, keepdim=True) <= SHORTEST
    # The second derivative of a length at 0 is NaN, and 0 times it as well. So short vectors are
    # moved away from 0 (to others 0 is added), and then divided by infinity.
    moved = wide + is_short
    lengths = torch.linalg.vector_norm(moved, dim=-1, keepdim=True)
    directions: Tensor = moved / lengths.masked_fill(is_short, torch.inf).expand_as(moved)
    return directions.to(vectors.dtype)


def attention_weights(
    query: Query, key: Key, score: str = "softmax", mask: Mask | None = None
) -> Weights:
    """Attention weights, one row a query; rows of softmax scores sum to one.

    Args:
        query: `B N T K`.
        key: `B N S K`.
        score: One of `score_names()`.
        mask: `T S`, `B T S` or `B N T S`. Boolean: True where a query may attend to a key.
            Floating point: added to the logits of scores whose rows sum to one. None allows
            everything.

    Returns:
        Weights, `B N T S`: exactly 0 where masked, so all 0 in a row that may read nothing.

    Raises:
        UnknownNameError: no such score.
        ShapeError: the mask has another type or does not fit.
        ConfigError: a mask to be added, and a score without a softmax.
    """
    found = SCORES[score]
    if mask is None:
        return found.weigh(query, key, None)
    wide = per_head(mask, query, key)
    if wide.dtype != torch.bool and not found.sums_to_one:
        able = ", ".join(name for name in SCORES if SCORES[name].sums_to_one)
        raise ConfigError(
            f"A mask of floating point numbers is added to logits before a softmax, and the score "
            f"'{score}' has none; use a boolean mask, or one of the scores {able}."
        )
    return found.weigh(query, key, wide).masked_fill(~is_allowed(wide), 0.0)


def attend(weights: SharedWeights, value: Value) -> HeadOutput:
    """The values `B N S V` mixed by the weights `B N T S`: `B N T V`."""
    return weights.to(value.dtype) @ value


def score_names() -> list[str]:
    """Every registered score, in alphabetical order.

    >>> score_names()
    ['cosine', 'l2', 'none', 'relu', 'sigmoid', 'softmax']
    """
    return list(SCORES)


def score_traits(score: str) -> Score:
    """The function and the traits filed under a name.

    Raises:
        UnknownNameError: no such score; the message holds the nearest.
    """
    return SCORES[score]
