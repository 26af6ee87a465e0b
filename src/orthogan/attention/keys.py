"""Where a layer's keys come from: one class a kind, filed under a name.

Every kind is told the sizes, answers how large its keys are and whether the layer's `key_value`
has to project them, and makes the keys of a context.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from orthogan.attention.dual import dual_queries
from orthogan.errors import ConfigError
from orthogan.geometry.spectra.moments import Moments, moments_of
from orthogan.geometry.spectra.whitening import (
    Shrink,
    check_enough,
    check_method,
    check_shrink,
    whitening_of,
)
from orthogan.registry import Registry
from orthogan.shapes import Context, Key, Mask, Query


class Sizes(NamedTuple):
    """Sizes over all heads.

    Attributes:
        width: Of the tokens that keys are made of: those of the context.
        value_size: Of the values.
        key_size: What was asked for; None leaves it to the kind of keys.
    """

    width: int
    value_size: int
    key_size: int | None


class Sources(NamedTuple):
    """What keys can be made from.

    Attributes:
        context: `B S D`.
        projected: Its product with the key matrix; empty for kinds without one.
        values: Its values, `B S (N V)`.
        ask: Projects it as queries are projected.
    """

    context: Context
    projected: Tensor
    values: Tensor
    ask: Callable[[], Tensor]


class Keys(nn.Module):
    """How keys are made; a subclass is one kind.

    Args:
        sizes: Sizes of the layer.

    Raises:
        ConfigError: this kind cannot have keys of the size asked for.
    """

    # Whether the layer's `key_value` holds a key matrix for this kind.
    is_projected: ClassVar[bool] = False
    # Whether the keys are dual vectors: a product with one has a meaning, a distance has none.
    is_dual: ClassVar[bool] = False
    # Whether the keys wait for `fit` to have seen tokens of the data set.
    needs_calibration: ClassVar[bool] = False
    # Whether the keys are vectors of their own, not the tokens or the values themselves.
    is_separate: ClassVar[bool] = True
    # Whether several heads of queries may share one head of keys and values.
    can_be_shared: ClassVar[bool] = False
    # Whether the context is projected as the tokens are, and so needs their width.
    asks_of_context: ClassVar[bool] = False

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.size = self.choose_size(sizes)

    def choose_size(self, sizes: Sizes) -> int:
        """The key size over all heads: what was asked for, else the value size."""
        return sizes.value_size if sizes.key_size is None else sizes.key_size

    def forward(self, sources: Sources) -> Tensor:
        """The keys `B S (N K)`, all heads side by side."""
        raise NotImplementedError

    def meet(self, query: Query, _key: Key, _mask: Mask | None) -> Query:
        """The queries `B N T K` as they meet the keys `B N S K`."""
        return query

    def fit(self, _tokens: Tensor) -> None:
        """Learn from tokens of the data set.

        Raises:
            ConfigError: this kind has nothing to learn from them.
        """
        raise ConfigError("These keys need no statistics; only keys = 'whitened' are fitted.")


KeyKind: TypeAlias = Callable[[Sizes], Keys]
KEYS: Registry[KeyKind] = Registry("kind of keys", "orthogan.attention.keys", group="keys")


@KEYS.register("learned")
class LearnedKeys(Keys):
    """A key matrix of their own (Vaswani et al. 2017)."""

    is_projected = True
    can_be_shared = True

    def forward(self, sources: Sources) -> Tensor:
        """The projected context."""
        return sources.projected


@KEYS.register("values")
class ValueKeys(Keys):
    """Keys tied to the values: what a token says is how it is found."""

    is_separate = False
    can_be_shared = True

    def choose_size(self, sizes: Sizes) -> int:
        """The value size."""
        if sizes.key_size not in (None, sizes.value_size):
            raise ConfigError(
                f"Keys tied to the values have their size {sizes.value_size}, got key size "
                f"{sizes.key_size}; leave it out."
            )
        return sizes.value_size

    def forward(self, sources: Sources) -> Tensor:
        """The values."""
        return sources.values


@KEYS.register("queries")
class QueryKeys(Keys):
    """Keys tied to the queries: logits of a sequence with itself are symmetric."""

    asks_of_context = True

    def forward(self, sources: Sources) -> Tensor:
        """The context, projected as queries are."""
        return sources.ask()


@KEYS.register("identity")
class IdentityKeys(Keys):
    """No key matrix: each head reads its own part of the raw token.

    The same as learned keys whose matrix is the identity.
    """

    is_separate = False

    def choose_size(self, sizes: Sizes) -> int:
        """The width of the tokens."""
        if sizes.key_size not in (None, sizes.width):
            raise ConfigError(
                f"Keys without a matrix are the tokens, of width {sizes.width}; got key size "
                f"{sizes.key_size}; leave it out."
            )
        return sizes.width

    def forward(self, sources: Sources) -> Tensor:
        """The context itself."""
        return sources.context


@KEYS.register("whitened")
class WhitenedKeys(IdentityKeys):
    """No key matrix: each head reads its own part of the whitened token.

    The statistics are those of the data set, collected by `fit`, never of one sequence.

    Args:
        sizes: Sizes of the layer.
        method: One of `whitening_methods()`; with "pca" each head reads principal axes of its own.
        shrink: Share of shrinkage in [0, 1], or "ledoit-wolf".

    Raises:
        ConfigError: a key size other than the width, or `shrink` is no share.
        UnknownNameError: no such method.
    """

    needs_calibration = True
    is_separate = True

    mean: Tensor
    matrix: Tensor
    count: Tensor

    def __init__(self, sizes: Sizes, method: str = "pca", shrink: Shrink = "ledoit-wolf") -> None:
        super().__init__(sizes)
        check_method(method)
        check_shrink(shrink)
        self.method, self.shrink = method, shrink
        self.moments: Moments | None = None
        self.num_tokens = 0  # the same as `count`, known without asking the device
        self.register_buffer("mean", torch.zeros(sizes.width))
        self.register_buffer("matrix", torch.eye(sizes.width))
        self.register_buffer("count", torch.tensor(0))
        self.register_load_state_dict_post_hook(_note_count)  # type: ignore[no-untyped-call]

    def forward(self, sources: Sources) -> Tensor:
        """The context in white coordinates.

        Raises:
            ConfigError: `fit` has seen too few tokens.
        """
        check_enough(self.num_tokens, self.size)
        white: Tensor = (sources.context - self.mean) @ self.matrix
        return white

    @torch.no_grad()
    def fit(self, tokens: Tensor) -> None:
        """Adds tokens of the data set (any leading axes) to the statistics.

        After weights were loaded the statistics start anew with the next call.

        Raises:
            ShapeError: another width, or no tokens.
            DataError: a value is not finite, or all tokens are alike.
            ConfigError: without shrinkage, the tokens do not span the space.
        """
        moments = moments_of(tokens.flatten(0, -2), self.moments)
        if moments.count > self.size + 1:
            white = whitening_of(moments, self.shrink, self.method)
            self.mean.copy_(white.mean)
            self.matrix.copy_(white.matrix)
        self.moments, self.num_tokens = moments, moments.count
        self.count.fill_(moments.count)


def _note_count(keys: nn.Module, _incompatible: object) -> None:
    if isinstance(keys, WhitenedKeys):
        keys.num_tokens, keys.moments = int(keys.count), None


@KEYS.register("dual")
class DualKeys(LearnedKeys):
    r"""Learned keys, corrected by their Gram matrix: $K (K^\top K + \epsilon I)^{-1}$.

    With score "none" the layer reads, at its queries, the ridge regression of values on keys.
    Products are multiplied by the number of keys that may be read: score "none" divides by it,
    and logits of other scores would otherwise fade with the length.

    Args:
        sizes: Sizes of the layer.
        ridge: The ridge, in squared key units; 1 is what one more key of unit length would add.

    Raises:
        ConfigError: the ridge is not positive.
    """

    is_dual = True

    def __init__(self, sizes: Sizes, ridge: float = 1.0) -> None:
        super().__init__(sizes)
        if not 0 < ridge < float("inf"):
            raise ConfigError(
                f"The ridge of dual keys is positive and finite, got {ridge}: without it, fewer "
                "keys than key dimensions have no inverse."
            )
        self.ridge = ridge

    def meet(self, query: Query, key: Key, mask: Mask | None) -> Query:
        """The queries times the inverse: it is symmetric, so it may stand on either side."""
        return dual_queries(query, key, self.ridge, mask)


def make_keys(kind: str | KeyKind, sizes: Sizes) -> Keys:
    """The keys of a layer, from a name or from what makes them.

    Raises:
        UnknownNameError: no such kind.
        ConfigError: the kind cannot have keys of the size asked for.
    """
    build = KEYS[kind] if isinstance(kind, str) else kind
    return build(sizes)


def key_names() -> list[str]:
    """Every registered kind of keys, in alphabetical order.

    >>> key_names()
    ['dual', 'identity', 'learned', 'queries', 'values', 'whitened']
    """
    return list(KEYS)
