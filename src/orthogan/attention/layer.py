"""The multi-head attention layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.attention.association import apply_attention, check_order
from orthogan.attention.keys import KeyKind, Keys, Sizes, Sources, make_keys
from orthogan.attention.relative import RelativePositions
from orthogan.attention.scores import attention_weights, score_names, score_traits
from orthogan.errors import ConfigError, ShapeError
from orthogan.shapes import (
    Context,
    Mask,
    OtherSequence,
    PositionedKey,
    PositionedQuery,
    Sequence,
    SequenceWeights,
    Tokens,
    Value,
)


class Attention(nn.Module):
    """Multi-head attention from tokens to themselves, or to a context.

    Args:
        width: Width `D` of the tokens, in and out.
        heads: Number of heads; divides the key and value sizes.
        score: How queries meet keys, one of `score_names()`.
        keys: Where keys come from, one of `key_names()`, or a class of `orthogan.attention.keys`
            with its options bound: `partial(DualKeys, ridge=0.1)`.
        key_size: Total key size over all heads; None means the value size (the width for keys
            without a matrix, which are the tokens).
        value_size: Total value size over all heads; None means `width`.
        context_size: Width `C` of the context, which must then be given; None means `width`.
        key_heads: Heads of keys and values, a divisor of `heads`: each serves as many heads of
            queries (Ainslie et al. 2023, "GQA"). None means one a head.
        positions: Positions that act on queries and keys, `Rotary` or `UntiedPositions`; codes
            that are added to the tokens or appended to them act before the layer.
        order: Of the products of score "none", "quadratic" or "linear"; "auto" is the cheaper.

    Raises:
        ConfigError: a size is not a multiple of the number of heads, or two options exclude each
            other.
        UnknownNameError: no such score or kind of keys.

    Source: Vaswani et al. 2017, "Attention is all you need", section 3.2. Not covered: dropout.

    >>> import torch
    >>> layer = Attention(8, heads=2)
    >>> layer(torch.zeros(1, 5, 8)).shape, layer.weights(torch.zeros(1, 5, 8)).shape
    (torch.Size([1, 5, 8]), torch.Size([1, 2, 5, 5]))
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        score: str = "softmax",
        keys: str | KeyKind = "learned",
        key_size: int | None = None,
        value_size: int | None = None,
        *,
        context_size: int | None = None,
        key_heads: int | None = None,
        positions: RelativePositions | None = None,
        order: str = "auto",
    ) -> None:
        super().__init__()
        value_size = width if value_size is None else value_size
        self.context_size = width if context_size is None else context_size
        self.key_heads = heads if key_heads is None else key_heads
        self.keys = make_keys(keys, Sizes(self.context_size, value_size, key_size))
        check_shared(self.keys, width, self.context_size, heads, self.key_heads)
        for name, size in (("key size", self.keys.size), ("value size", value_size)):
            if heads < 1 or size < heads or size % heads:
                raise ConfigError(f"The {name} {size} must be a multiple of heads = {heads}.")
        check_order(order, score)
        check_score(self.keys, score)
        self.heads, self.score, self.order = heads, score, order
        self.key_size, self.value_size = self.keys.size, value_size
        # No biases: softmax ignores that of the keys, and that of the values shifts the output.
        self.query = nn.Linear(width, self.key_size, bias=False)
        group = heads // self.key_heads
        if group > 1:  # stored, so that a file says how its weights are to be read
            self.register_buffer("queries_a_key", torch.full((1, 1), float(group)))
        self.num_projected = self.key_size // group if self.keys.is_projected else 0
        self.num_values = value_size // group
        # One product for keys and values: both read the context, and one wide product is quicker
        # than two narrow ones.
        self.key_value = nn.Linear(
            self.context_size, self.num_projected + self.num_values, bias=False
        )
        self.output = nn.Linear(value_size, width, bias=False)
        self.positions = positions

    def forward(
        self, tokens: Sequence, context: OtherSequence | None = None, mask: Mask | None = None
    ) -> Sequence:
        """Tokens `B T D` refined by what they attend to in themselves or in `context` `B S C`.

        Args:
            tokens: What asks; a single sequence `T D` comes without a batch.
            context: What is read, with a batch like the tokens; None means the tokens themselves.
            mask: `T S`, `B T S`, or `B N T S` with one a head; each axis may be 1. Boolean: True
                where a token may attend; a token that may attend to nothing comes out as zeros.
                Floating point: added to the logits before a softmax. Of a single sequence, three
                axes are `N T S`.

        Raises:
            ShapeError: a width differs from the layer's, the context has another batch size, or
                the mask does not fit.
            ConfigError: whitened keys have seen too few tokens of the data set, a mask meets
                `order = "linear"`, or one to be added a score without a softmax.
        """
        if tokens.dim() == 2:
            single: Tensor = self(*self._as_batch(tokens, context, mask))
            return single[0]
        query, key, value = self._project(tokens, tokens if context is None else context, mask)
        # softmax(Q K^T / sqrt(K)) V in each head, then all heads through one output matrix.
        mixed = apply_attention(query, key, value, self.score, mask, self.order)
        refined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return refined

    def weights(
        self, tokens: Sequence, context: OtherSequence | None = None, mask: Mask | None = None
    ) -> SequenceWeights:
        """The attention weights `B N T S` that `forward` applies; `N T S` of a single sequence."""
        if tokens.dim() == 2:
            return self.weights(*self._as_batch(tokens, context, mask))[0]
        query, key, _ = self._project(tokens, tokens if context is None else context, mask)
        return attention_weights(query, key, self.score, mask)

    def _as_batch(
        self, tokens: Tensor, context: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """A single sequence as a batch of one."""
        if context is not None and context.dim() != 2:
            raise ShapeError(
                f"Tokens of shape {tuple(tokens.shape)} have no batch, and the context of shape "
                f"{tuple(context.shape)} has one; give both or neither."
            )
        if mask is not None and mask.dim() == 3:
            mask = mask[None]
        return tokens[None], None if context is None else context[None], mask

    @property
    def num_kept(self) -> int:
        """Numbers that attention makes of a token and keeps for the queries: its key and value.

        A key that is the value, or the token itself, is there already and counts nothing, unless
        a rotary code makes another vector of it.

        >>> Attention(8).num_kept, Attention(8, keys="values").num_kept
        (16, 8)
        """
        is_moved = self.positions is not None and self.positions.moves_keys
        made = self.key_size if self.keys.is_separate or is_moved else 0
        return (made + self.value_size) * self.key_heads // self.heads

    def fit_keys(self, tokens: Tensor) -> None:
        """Adds tokens of the data set, as the layer meets them, to the statistics of its keys.

        To be called with one batch after another before the first use of `keys = "whitened"`:
        more than `D + 1` tokens, because fewer, whitened by themselves, are all equidistant.

        Args:
            tokens: `B T D`, or any other leading axes.

        Raises:
            ConfigError: these keys have no statistics; or without shrinkage, the tokens do not
                span the space.
            ShapeError: another width, or no tokens.
            DataError: a value is not finite, or all tokens are alike.
        """
        self._check("tokens", tokens, self.context_size, tokens.dim())
        self.keys.fit(tokens)

    def _project(
        self, tokens: Tokens, context: Context, mask: Mask | None
    ) -> tuple[PositionedQuery, PositionedKey, Value]:
        if context is tokens and self.context_size != tokens.shape[-1] == self.query.in_features:
            raise ShapeError(
                f"This attention reads a context of width {self.context_size}, and its tokens have "
                f"width {self.query.in_features}: they cannot attend to themselves; give a context."
            )
        self._check("tokens", tokens, self.query.in_features)
        self._check("context", context, self.context_size)
        # Not `len`, which would fix the batch size of an exported program.
        batch, other = tokens.shape[0], context.shape[0]
        if context is not tokens and other != batch:
            raise ShapeError(
                f"Tokens and context need the same batch size, got {batch} and {other}; "
                f"one context for all is context.expand({batch}, -1, -1)."
            )
        # Keys before queries: gradients are summed in this order, and recorded runs rest on it.
        sizes = [self.num_projected, self.num_values]
        projected, values = self.key_value(context).split(sizes, dim=-1)
        queries: Tensor = self.query(tokens)
        keys = self.keys(
            Sources(
                context,
                projected,
                values,
                ask=lambda: queries if context is tokens else self.query(context),
            )
        )
        query, key = self._split_heads(queries), self._split_heads(keys, self.key_heads)
        value = self._split_heads(values, self.key_heads)
        if self.positions is not None:
            query, key = self.positions(query, key)
        return self.keys.meet(query, key, mask), key, value

    def _check(self, name: str, sequence: Tensor, width: int, num_axes: int = 3) -> None:
        if sequence.dim() != num_axes or sequence.dim() < 2 or sequence.shape[-1] != width:
            raise ShapeError(
                f"Attention of width {width} expects {name} of shape (batch, tokens, {width}), "
                f"got {tuple(sequence.shape)}."
            )

    def _split_heads(self, sequence: Tensor, heads: int | None = None) -> Tensor:
        """`B N T K`; fewer heads are each repeated for all that they serve."""
        heads = self.heads if heads is None else heads
        separate: Tensor = sequence.unflatten(-1, (heads, -1)).transpose(1, 2)
        if heads == self.heads:
            return separate
        return separate.repeat_interleave(self.heads // heads, dim=1)


def check_shared(keys: Keys, width: int, context_size: int, heads: int, key_heads: int) -> None:
    """Nothing, if keys can be made of such a context, for so many heads.

    Raises:
        ConfigError: they cannot; with the reason.
    """
    if context_size < 1:
        raise ConfigError(f"The context size is at least 1, got {context_size}.")
    if context_size != width and keys.asks_of_context:
        raise ConfigError(
            f"Keys tied to queries project the context by the query matrix, which takes tokens of "
            f"width {width}, not {context_size}; leave out context_size, or use keys of their own."
        )
    if heads < 1 or key_heads < 1 or heads % key_heads:
        raise ConfigError(f"key_heads = {key_heads} must be a divisor of heads = {heads}.")
    if key_heads != heads and not keys.can_be_shared:
        raise ConfigError(
            "Only keys that the layer projects can be shared by heads: learned, dual, or tied to "
            "the values; these keys are the tokens or the queries, of which each head has its own "
            "part. Leave out key_heads."
        )


def check_score(keys: Keys, score: str) -> None:
    """Nothing, if these keys can be read with this score.

    Raises:
        ConfigError: dual keys, and a score that measures more than products.
        UnknownNameError: no such score.
    """
    if score_traits(score).reads_products or not keys.is_dual:
        return
    able = [name for name in score_names() if score_traits(name).reads_products]
    raise ConfigError(
        f"Dual keys live in the dual space: their dot products with queries have a meaning, "
        f"lengths, angles and distances, which the score '{score}' measures, have none. "
        f"Use one of the scores {', '.join(able)}."
    )
