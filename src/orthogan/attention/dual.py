"""Queries corrected by the Gram matrix of the keys they read: least squares inside attention."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.attention.masks import is_allowed, num_readable, per_head
from orthogan.shapes import HeadMask, Key, Mask, Query

SAFE = 8  # roundings of the sum of the eigenvalues, which elimination does not lose


def dual_queries(query: Query, key: Key, ridge: float, mask: Mask | None = None) -> Query:
    r"""$S \, q (K^\top K + \epsilon I)^{-1}$: products with keys become those with the dual keys.

    Args:
        query: `B N T K`.
        key: `B N S K`.
        ridge: The ridge, positive, in squared key units.
        mask: As of `attention_weights`; each query then has the Gram matrix of the keys it may
            read.

    Returns:
        `B N T K`, in the precision of the query; solved in float32 at least.

    Raises:
        ShapeError: the mask has another type or does not fit.

    Source: Hoerl and Kennard 1970, "Ridge regression", equation 2.1.

    >>> key = 2 * torch.eye(2)[None, None]
    >>> dual_queries(key, key, ridge=1.0)[0, 0].tolist()
    [[0.8..., 0.0], [0.0, 0.8...]]
    """
    allowed = None if mask is None else is_allowed(per_head(mask, query, key))
    wide = torch.promote_types(query.dtype, torch.float32)
    # The condition of a Gram matrix is that of the keys squared: bfloat16 would keep no digit.
    with torch.autocast(query.device.type, enabled=False):
        asked, found = query.to(wide), key.to(wide)
        solved = _solve(asked, found, ridge, allowed) * num_readable(asked, found, allowed)
    return solved.to(query.dtype)


def _solve(query: Query, key: Key, ridge: float, allowed: HeadMask | None) -> Query:
    if allowed is None:
        gram = key.transpose(-1, -2) @ key
        solved: Tensor = torch.linalg.solve(_regular(gram, ridge), query.transpose(-1, -2))
        return solved.transpose(-1, -2)
    # Each query reads other keys, so each has a Gram matrix of its own: sums of k k^T over them, as
    # one product with the mask. That takes T K^2 numbers per head, where one Gram takes K^2.
    squares = (key.unsqueeze(-1) * key.unsqueeze(-2)).flatten(-2)
    size = key.shape[-1]
    grams = (allowed.to(key.dtype) @ squares).unflatten(-1, (size, size))
    solved = torch.linalg.solve(_regular(grams, ridge), query.unsqueeze(-1))
    return solved.squeeze(-1)


def _regular(grams: Tensor, ridge: float) -> Tensor:
    """Gram matrices plus the ridge, or what of it they can hold: one huge key drowns it."""
    eye = torch.eye(grams.shape[-1], dtype=grams.dtype, device=grams.device)
    with torch.no_grad():
        # Below the rounding of the sum of the eigenvalues a ridge is no ridge, and the matrix of
        # one huge key among small ones singular. Other matrices keep the ridge asked for.
        sizes = (grams * eye).sum((-2, -1), keepdim=True)
        rounding = torch.finfo(grams.dtype).eps * sizes
        ridges = torch.where(rounding > ridge, SAFE * rounding, ridge)
    return grams + ridges * eye
