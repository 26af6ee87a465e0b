"""The multi-head attention layer."""

from __future__ import annotations

from torch import Tensor, nn

from orthogan.attention.scores import attend, attention_weights, check_score
from orthogan.errors import ConfigError, ShapeError


class Attention(nn.Module):
    """Multi-head attention from tokens to themselves, or to a context.

    Args:
        width: Width `D` of the tokens, in and out.
        heads: Number of heads; divides the key and value sizes.
        score: How queries meet keys, one of `score_names()`.
        key_size: Total key size over all heads; None means the value size.
        value_size: Total value size over all heads; None means `width`.

    Raises:
        ConfigError: a size is not a multiple of the number of heads, or the score is unknown.

    Source: Vaswani et al. 2017, "Attention is all you need", section 3.2. Not covered: masks.

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
        key_size: int | None = None,
        value_size: int | None = None,
    ) -> None:
        super().__init__()
        value_size = width if value_size is None else value_size
        key_size = value_size if key_size is None else key_size
        for name, size in (("key size", key_size), ("value size", value_size)):
            if heads < 1 or size < heads or size % heads:
                raise ConfigError(f"The {name} {size} must be a multiple of heads = {heads}.")
        check_score(score)
        self.heads, self.score, self.key_size = heads, score, key_size
        self.query = nn.Linear(width, key_size, bias=False)
        self.key_value = nn.Linear(width, key_size + value_size, bias=False)
        self.output = nn.Linear(value_size, width, bias=False)

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """Tokens `B T D` refined by what they attend to in themselves or in `context` `B S D`.

        Raises:
            ShapeError: a width differs from the layer's.
        """
        query, key, value = self._project(tokens, tokens if context is None else context)
        mixed = attend(attention_weights(query, key, self.score), value)
        refined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return refined

    def weights(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """The attention weights `B N T S` that `forward` applies."""
        query, key, _ = self._project(tokens, tokens if context is None else context)
        return attention_weights(query, key, self.score)

    def _project(self, tokens: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        width = self.query.in_features
        for name, sequence in (("tokens", tokens), ("context", context)):
            if sequence.dim() != 3 or sequence.shape[-1] != width:
                raise ShapeError(
                    f"Attention of width {width} expects {name} of shape (batch, tokens, {width}), "
                    f"got {tuple(sequence.shape)}."
                )
        key, value = self.key_value(context).split([self.key_size, self.output.in_features], dim=-1)
        query = self.query(tokens)
        return self._split_heads(query), self._split_heads(key), self._split_heads(value)

    def _split_heads(self, sequence: Tensor) -> Tensor:
        separate: Tensor = sequence.unflatten(-1, (self.heads, -1))
        return separate.transpose(1, 2)
