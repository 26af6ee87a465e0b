"""The language Transformer: token, embedding, dense vector, causal attention, next token."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, cast

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from orthogan.attention import (
    Attention,
    PositionalEncoding,
    RelativePositions,
    Rotary,
    UntiedPositions,
    causal_mask,
    line_coordinates,
)
from orthogan.config import Config
from orthogan.errors import ConfigError, ShapeError
from orthogan.language.tokenizer import MOST_ENTRIES
from orthogan.networks.attending import KeysName, ScoreName
from orthogan.networks.blocks import Block
from orthogan.networks.limits import MOST_BLOCKS, MOST_CONTEXT, MOST_EXPANSION, MOST_WIDE

Positions = Literal["none", "learned", "sinusoidal", "rotary", "untied"]

# The code that is added to the vectors; the other two act on queries and keys.
ADDED = {"none": "none", "learned": "learned", "sinusoidal": "sinusoidal-1d"}


# Of the entries of a fresh vector, as in GPT-2 (Radford et al. 2019): a token that is read also
# raises its own logit, the more the longer the vectors are.
VECTOR_STD = 0.02


class LanguageNetworkConfig(Config):
    """Settings of the language Transformer."""

    kind: Literal["transformer"] = "transformer"
    vocabulary: int = Field(
        256, ge=2, le=MOST_ENTRIES, description="different tokens; the text decides"
    )
    context: int = Field(128, ge=2, le=MOST_CONTEXT, description="tokens that are read at once")
    embedding: int | None = Field(
        None,
        ge=1,
        le=MOST_WIDE,
        description="width of the token table, ahead of a dense layer; null: that of the vectors, "
        "without one",
    )
    width: int = Field(128, ge=1, le=MOST_WIDE, description="width of the vectors")
    blocks: int = Field(2, ge=1, le=MOST_BLOCKS, description="number of self-attention blocks")
    heads: int = Field(4, ge=1, le=MOST_WIDE, description="attention heads a block")
    score: ScoreName = Field("softmax", description="attention score")
    keys: KeysName = Field("learned", description="where keys come from")
    key_size: int | None = Field(
        None,
        ge=1,
        le=MOST_WIDE,
        description="key size over all heads; null: that of the values, the width",
    )
    positions: Positions = Field("rotary", description="positional encoding")
    expansion: int = Field(
        4, ge=1, le=MOST_EXPANSION, description="hidden width of the dense layers, in widths"
    )

    @field_validator("keys")
    @classmethod
    def _not_whitened(cls, keys: str) -> str:
        if keys == "whitened":
            raise ValueError(
                "whitened keys are fitted to fixed tokens, and the vectors of a language are "
                "learned; use keys=identity"
            )
        return keys

    def build(self) -> LanguageTransformer:
        """The network, freshly initialized."""
        return LanguageTransformer(self)


class LanguageTransformer(nn.Module):
    r"""Logits of the next token at each place of a sequence, from it and those before it.

    A token is looked up in the embedding, a dense layer makes it the vector $t_v$, causal blocks
    turn $\sqrt D \, t_{v_1}, \dots$ into $h_1, \dots$, and the logit of token $v$ after place $i$
    is $\langle \mathrm{norm}(h_i), t_v \rangle + b_v$: the output shares the vectors of the input.

    Source: Vaswani et al. 2017, sections 3.1 and 3.4 (the tied output and the factor);
    Press and Wolf 2017, "Using the output embedding"; Lan et al. 2020, "ALBERT", section 3.1
    (a token table narrower than the vectors).

    >>> network = LanguageNetworkConfig(vocabulary=5, width=8, heads=2).build()
    >>> network(torch.tensor([[0, 1, 4]])).shape
    torch.Size([1, 3, 5])
    """

    def __init__(self, config: LanguageNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        narrow = width if config.embedding is None else config.embedding
        self.embedding = nn.Embedding(config.vocabulary, narrow)
        self.dense = None if config.embedding is None else nn.Linear(narrow, width)
        self._scale_vectors()
        self.positions = (
            PositionalEncoding(ADDED[config.positions], 1, config.context, width)
            if config.positions in ADDED
            else None
        )
        inside = _positions_inside(config)
        self.blocks = nn.ModuleList(_block(config, inside) for _ in range(config.blocks))
        self.norm = nn.RMSNorm(width)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.register_buffer("mask", causal_mask(config.context), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `B T V` of the token after each of the tokens `B T` (whole numbers).

        Raises:
            ShapeError: not `B T`, no tokens, or more than the context holds.
        """
        hidden, mask = self.embed(tokens), self.causal(tokens.shape[1])
        for block in self.blocks:
            hidden = block(hidden, mask)
        return functional.linear(self.norm(hidden), self.vectors(), self.bias)

    def vectors(self) -> Tensor:
        """The dense vector of every token, `V D`."""
        table: Tensor = self.embedding.weight
        return table if self.dense is None else self.dense(table)

    def embed(self, tokens: Tensor) -> Tensor:
        """What the first block reads, `B T D`: the scaled vectors with the position codes added.

        Raises:
            ShapeError: not `B T`, no tokens, or more than the context holds.
        """
        self._check(tokens)
        table = self.vectors().to(self.embedding.weight.dtype)  # a dense layer may have rounded it
        read = functional.embedding(tokens, table) * self.factor
        return read if self.positions is None else read + self.positions.codes[: tokens.shape[1]]

    @property
    def factor(self) -> float:
        """What the vectors are multiplied by on the way in: those of the output are short."""
        return math.sqrt(self.config.width)

    def causal(self, num_tokens: int) -> Tensor:
        """The mask `T T` of a sequence: True on and below the diagonal."""
        mask: Tensor = self.get_buffer("mask")
        return mask[:num_tokens, :num_tokens]

    def attention_maps(self, tokens: Tensor) -> Tensor:
        """The attention weights of every block, `B M N T T`: block, head, query, key.

        Raises:
            ShapeError: not `B T`, no tokens, or more than the context holds.
        """
        hidden, mask, maps = self.embed(tokens), self.causal(tokens.shape[1]), []
        for block in cast("Iterable[Block]", self.blocks):
            maps.append(block.attention.weights(block.attention_norm(hidden), mask=mask))
            hidden = block(hidden, mask)
        return torch.stack(maps, dim=1)

    def _scale_vectors(self) -> None:
        nn.init.normal_(self.embedding.weight, std=VECTOR_STD)
        if self.dense is not None:
            nn.init.normal_(self.dense.weight, std=self.dense.in_features**-0.5)
            nn.init.zeros_(self.dense.bias)

    def _check(self, tokens: Tensor) -> None:
        is_whole = not (tokens.is_floating_point() or tokens.is_complex())
        if tokens.dim() != 2 or not is_whole or not 1 <= tokens.shape[1] <= self.config.context:
            raise ShapeError(
                f"Expected whole numbers of shape (batch, 1 to {self.config.context}), got "
                f"{tokens.dtype} of shape {tuple(tokens.shape)}; split the text, or train with a "
                "larger network.context."
            )


def _block(config: LanguageNetworkConfig, positions: RelativePositions | None) -> Block:
    width, heads, score = config.width, config.heads, config.score
    attention = Attention(width, heads, score, config.keys, config.key_size, positions=positions)
    return Block(width, attention, functional.gelu, config.expansion)


def _positions_inside(config: LanguageNetworkConfig) -> RelativePositions | None:
    """The positions that act on queries and keys; one module that all blocks share."""
    if config.positions in ADDED:
        return None
    total = config.width if config.key_size is None else config.key_size
    if config.heads < 1 or total % config.heads:
        raise ConfigError(f"The key size {total} must be a multiple of heads = {config.heads}.")
    size = total // config.heads
    if config.positions == "rotary":
        return Rotary(line_coordinates(config.context), size)
    # Unit variance, as of the vectors that they are weighed against.
    codes = nn.Parameter(torch.randn(config.context, config.width))
    return UntiedPositions(codes, config.heads, size)
