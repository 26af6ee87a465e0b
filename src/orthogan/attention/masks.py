"""Which queries may attend to which keys: boolean, True where attention is allowed; or added."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.errors import ShapeError
from orthogan.shapes import CausalMask, HeadMask, Key, Mask, Query


def causal_mask(num_tokens: int) -> CausalMask:
    """`T T`: each token may attend to itself and to those before it.

    >>> causal_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    return torch.ones(num_tokens, num_tokens, dtype=torch.bool).tril()


def per_head(mask: Mask, query: Query, key: Key) -> HeadMask:
    """A mask with axes for batch and heads, each of them of length 1 where it is for all.

    Args:
        mask: `T S`, `B T S`, or with heads `B N T S`; each axis may be 1. Boolean: True where the
            query may attend to the key. Floating point: added to the logits, minus infinity where
            it may not.
        query: `B N T K`.
        key: `B N S K`.

    Returns:
        `B N T S`, where `B` and `N` may be 1.

    Raises:
        ShapeError: the mask is of whole or complex numbers, or does not fit.
    """
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise ShapeError(
            f"A mask is boolean, True where a query may attend to a key, or of floating point "
            f"numbers that are added to the logits; got {mask.dtype}."
        )
    batch, heads, num_queries = query.shape[:3]
    num_keys = key.shape[-2]
    wide = mask[:, None] if mask.dim() == 3 else mask[(None,) * (4 - mask.dim())]
    whole = (batch, heads, num_queries, num_keys)
    fits = 2 <= mask.dim() <= 4 and all(
        size in (1, full) for size, full in zip(wide.shape, whole, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"A mask of {num_queries} queries and {num_keys} keys has the shape "
            f"{(num_queries, num_keys)}, {(batch, num_queries, num_keys)} or, with one mask a "
            f"head, {whole}; got {tuple(mask.shape)}. Axes of 1 stand for all; keys that are "
            f"padding are a mask of shape {(batch, 1, num_keys)}."
        )
    return wide.expand(-1, -1, num_queries, num_keys)


def is_allowed(mask: HeadMask) -> HeadMask:
    """Where a mask allows attention: itself if boolean, else where it is above minus infinity."""
    return mask if mask.dtype == torch.bool else mask > -torch.inf


def num_readable(query: Query, key: Key, mask: HeadMask | None) -> Tensor:
    """How many keys each query may read, at least 1, so that it can divide.

    Args:
        query: `B N T K`; decides the precision.
        key: `B N S K`.
        mask: As `per_head` returns it, boolean; None allows everything.

    Returns:
        A scalar without a mask, else one number a query, to be broadcast over `B N T S`.
    """
    if mask is None:
        return query.new_full((), max(1, key.shape[-2]))
    return mask.sum(-1, keepdim=True).clamp_min(1).to(query.dtype)
