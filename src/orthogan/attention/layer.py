"""The multi-head attention layer."""

from __future__ import annotations

from torch import Tensor, nn

from orthogan.attention.association import apply_attention, check_order
from orthogan.attention.keys import KeyKind, Keys, Sizes, Sources, make_keys
from orthogan.attention.relative import RelativePositions
from orthogan.attention.scores import attention_weights, score_names, score_traits
from orthogan.errors import ConfigError, ShapeError
from orthogan.shapes import Context, Mask, PositionedKey, PositionedQuery, Tokens, Value, Weights


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
        positions: RelativePositions | None = None,
        order: str = "auto",
    ) -> None:
        super().__init__()
        value_size = width if value_size is None else value_size
        self.keys = make_keys(keys, Sizes(width, value_size, key_size))
        for name, size in (("key size", self.keys.size), ("value size", value_size)):
            if heads < 1 or size < heads or size % heads:
                raise ConfigError(f"The {name} {size} must be a multiple of heads = {heads}.")
        check_order(order, score)
        check_score(self.keys, score)
        self.heads, self.score, self.order = heads, score, order
        self.key_size, self.value_size = self.keys.size, value_size
        # No biases: softmax ignores that of the keys, and that of the values shifts the output.
        self.query = nn.Linear(width, self.key_size, bias=False)
        self.num_projected = self.key_size if self.keys.is_projected else 0
        # One product for keys and values: both read the context, and one wide product is quicker
        # than two narrow ones.
        self.key_value = nn.Linear(width, self.num_projected + value_size, bias=False)
        self.output = nn.Linear(value_size, width, bias=False)
        self.positions = positions

    def forward(
        self, tokens: Tokens, context: Context | None = None, mask: Mask | None = None
    ) -> Tokens:
        """Tokens `B T D` refined by what they attend to in themselves or in `context` `B S D`.

        Args:
            tokens: What asks.
            context: What is read; None means the tokens themselves.
            mask: `T S` or `B T S`, True where a token may attend; a token that may attend to
                nothing comes out as zeros.

        Raises:
            ShapeError: a width differs from the layer's, the context has another batch size, or
                the mask does not fit.
            ConfigError: whitened keys have seen too few tokens of the data set, or a mask meets
                `order = "linear"`.
        """
        query, key, value = self._project(tokens, tokens if context is None else context, mask)
        # softmax(Q K^T / sqrt(K)) V in each head, then all heads through one output matrix.
        mixed = apply_attention(query, key, value, self.score, mask, self.order)
        refined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return refined

    def weights(
        self, tokens: Tokens, context: Context | None = None, mask: Mask | None = None
    ) -> Weights:
        """The attention weights `B N T S` that `forward` applies."""
        query, key, _ = self._project(tokens, tokens if context is None else context, mask)
        return attention_weights(query, key, self.score, mask)

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
        return made + self.value_size

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
        self._check("tokens", tokens, tokens.dim())
        self.keys.fit(tokens)

    def _project(
        self, tokens: Tokens, context: Context, mask: Mask | None
    ) -> tuple[PositionedQuery, PositionedKey, Value]:
        self._check("tokens", tokens)
        self._check("context", context)
        # Not `len`, which would fix the batch size of an exported program.
        batch, other = tokens.shape[0], context.shape[0]
        if context is not tokens and other != batch:
            raise ShapeError(
                f"Tokens and context need the same batch size, got {batch} and {other}; "
                f"one context for all is context.expand({batch}, -1, -1)."
            )
        # Keys before queries: gradients are summed in this order, and recorded runs rest on it.
        sizes = [self.num_projected, self.value_size]
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
        query, key = self._split_heads(queries), self._split_heads(keys)
        if self.positions is not None:
            query, key = self.positions(query, key)
        return self.keys.meet(query, key, mask), key, self._split_heads(values)

    def _check(self, name: str, sequence: Tensor, num_axes: int = 3) -> None:
        width = self.query.in_features
        if sequence.dim() != num_axes or sequence.dim() < 2 or sequence.shape[-1] != width:
            raise ShapeError(
                f"Attention of width {width} expects {name} of shape (batch, tokens, {width}), "
                f"got {tuple(sequence.shape)}."
            )

    def _split_heads(self, sequence: Tensor) -> Tensor:
        separate: Tensor = sequence.unflatten(-1, (self.heads, -1))
        return separate.transpose(1, 2)


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
