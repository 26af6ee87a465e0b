"""Which queries may attend to which keys: boolean, True where attention is allowed."""

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
    """A mask `T S` or `B T S` with an axis for the heads: `1 1 T S` or `B 1 T S`.

    Args:
        mask: Boolean; True where the query may attend to the key.
        query: `B N T K`.
        key: `B N S K`.

    Raises:
        ShapeError: the mask is not boolean, or fits neither shape.
    """
    batch, num_queries, num_keys = query.shape[0], query.shape[-2], key.shape[-2]
    if mask.dtype != torch.bool:
        raise ShapeError(
            f"A mask is boolean, True where a query may attend to a key; got {mask.dtype}."
        )
    shapes = ((num_queries, num_keys), (batch, num_queries, num_keys))
    if tuple(mask.shape) not in shapes:
        raise ShapeError(
            f"A mask of {num_queries} queries and {num_keys} keys has the shape {shapes[0]} or "
            f"{shapes[1]}, got {tuple(mask.shape)}."
        )
    return mask[None, None] if mask.dim() == 2 else mask[:, None]


def num_readable(query: Query, key: Key, mask: HeadMask | None) -> Tensor:
    """How many keys each query may read, at least 1, so that it can divide.

    Args:
        query: `B N T K`; decides the precision.
        key: `B N S K`.
        mask: As `per_head` returns it; None allows everything.

    Returns:
        A scalar without a mask, else one number a query, to be broadcast over `B N T S`.
    """
    if mask is None:
        return query.new_full((), max(1, key.shape[-2]))
    return mask.sum(-1, keepdim=True).clamp_min(1).to(query.dtype)
