r"""The two orders of attention without softmax: $(Q K^\top) V = Q (K^\top V)$.

The first costs `T S (K + V)` multiplications a head and returns the weights on the way, the
second `(T + S) K V`: linear in the number of tokens. $K^\top V / S$ is the uncentred
cross-covariance of keys and values.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from orthogan.attention.fused import (
    fused_cosine,
    fused_softmax,
    is_fused_better,
    is_only_read,
)
from orthogan.attention.scores import attend, attention_weights, score_traits
from orthogan.errors import ConfigError
from orthogan.shapes import HeadOutput, Key, Mask, Query, Value

ORDERS = ("auto", "quadratic", "linear")


class OrderCosts(NamedTuple):
    """Floating-point operations a head and sequence, a multiplication and an addition each."""

    quadratic: int
    linear: int


def order_costs(num_queries: int, num_keys: int, key_size: int, value_size: int) -> OrderCosts:
    """What each order costs, in floating-point operations; sizes are those of one head.

    >>> order_costs(49, 49, 16, 16)
    OrderCosts(quadratic=153664, linear=50176)
    """
    return OrderCosts(
        quadratic=2 * num_queries * num_keys * (key_size + value_size),
        linear=2 * (num_queries + num_keys) * key_size * value_size,
    )


def apply_attention(
    query: Query,
    key: Key,
    value: Value,
    score: str = "softmax",
    mask: Mask | None = None,
    order: str = "auto",
) -> HeadOutput:
    """What each query reads from the values: `B N T V`.

    Args:
        query: `B N T K`.
        key: `B N S K`.
        value: `B N S V`.
        score: One of `score_names()`.
        mask: As of `attention_weights`; it needs the weights, so "auto" then takes the quadratic
            order.
        order: "auto" takes the cheaper order, by counted operations.

    Raises:
        UnknownNameError: no such score.
        ShapeError: the mask has another type or does not fit.
        ConfigError: the linear order was asked for with a mask or a score that is not linear; or a
            mask is to be added, and the score has no softmax.
    """
    if order != "quadratic" and score_traits(score).is_linear:
        if mask is None and (order == "linear" or _linear_is_cheaper(query, key, value)):
            # K^T V first, a K x V matrix whatever the length; divided while it is small.
            return query @ ((key.transpose(-1, -2) @ value) / max(1, key.shape[-2]))
        if order == "linear":
            raise ConfigError(
                "The linear order never makes the weights that a mask removes; "
                "leave the mask out, or use order = 'quadratic' or 'auto'."
            )
    if mask is None:
        if score == "softmax" and is_fused_better(query, key, value):
            return fused_softmax(query, key, value)
        if score == "cosine" and is_only_read(query, key, value):
            return fused_cosine(query, key, value)
    return attend(attention_weights(query, key, score, mask), value)


def check_order(order: str, score: str) -> None:
    """Nothing, if a layer with this score has this order.

    Raises:
        ConfigError: no such order, or the score has only one.
        UnknownNameError: no such score.
    """
    is_linear = score_traits(score).is_linear
    if order not in ORDERS:
        raise ConfigError(f"'order' is one of {', '.join(ORDERS)}, got '{order}'.")
    if order != "auto" and not is_linear:
        raise ConfigError(
            f"The score '{score}' is not linear in the products of queries and keys, so it has "
            f"one order only; leave out order = '{order}', or use score = 'none'."
        )


def _linear_is_cheaper(query: Query, key: Key, value: Value) -> bool:
    costs = order_costs(query.shape[-2], key.shape[-2], key.shape[-1], value.shape[-1])
    if torch.compiler.is_exporting():
        # Imported here: it costs a third of a second, and whoever exports has paid it already.
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        # An exported program serves every length, so no comparison of lengths may decide: where
        # they are unknown it takes the order that stays affordable for long sequences.
        return not statically_known_true(costs.quadratic <= costs.linear)
    return costs.linear < costs.quadratic
