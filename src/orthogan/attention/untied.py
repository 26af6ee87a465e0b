"""Positions as attention logits of their own, apart from what the tokens say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.attention.relative import RelativePositions
from orthogan.errors import ConfigError, ShapeError
from orthogan.shapes import Key, PositionedKey, PositionedQuery, Query


class UntiedPositions(RelativePositions):
    r"""Positions as logits of their own: $(q k^\top + p U_q U_k^\top p^\top) / \sqrt{2 K}$.

    Content meets content and position meets position, each with its own projections; the two
    cross terms are left out. Queries and keys are extended by projected codes, so that every
    score and both orders of products work with it.

    Args:
        codes: One code a token, `T P`; an `nn.Parameter` is trained. Shorter sequences take the
            first of them.
        heads: Number of heads.
        key_size: Size a head of the projected codes; that of the layer's keys balances both.
        context_codes: Of the context in cross-attention; None means `codes`.

    Raises:
        ShapeError: the codes are not `T P`, or of different widths.
        ConfigError: no heads, or an empty key size.

    Source: Ke, He and Liu 2021, "Rethinking positional encoding in language pre-training",
        section 3.1. Not covered: their separate treatment of the class token.

    >>> layer = UntiedPositions(torch.eye(3), heads=2, key_size=4)
    >>> [part.shape[-1] for part in layer(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4))]
    [8, 8]
    """

    codes: Tensor
    context_codes: Tensor | None

    def __init__(
        self, codes: Tensor, heads: int, key_size: int, context_codes: Tensor | None = None
    ) -> None:
        super().__init__()
        tables = {"codes": codes, "context_codes": context_codes}
        for name, table in tables.items():
            if table is None:
                continue
            if table.dim() != 2 or 0 in table.shape or table.shape[1] != codes.shape[1]:
                raise ShapeError(
                    f"'{name}' needs one code a token, all of one width, got shape "
                    f"{tuple(table.shape)}."
                )
        if heads < 1 or key_size < 1:
            raise ConfigError(
                f"Untied positions need heads and key size of at least 1, got {heads}, {key_size}."
            )
        self.heads = heads
        for name, table in tables.items():
            if isinstance(table, nn.Parameter):
                self.register_parameter(name, table)
            else:
                self.register_buffer(name, table)
        self.query = nn.Linear(codes.shape[1], heads * key_size, bias=False)
        self.key = nn.Linear(codes.shape[1], heads * key_size, bias=False)

    def forward(self, query: Query, key: Key) -> tuple[PositionedQuery, PositionedKey]:
        """Queries and keys, each with the projected codes behind it.

        Raises:
            ShapeError: more tokens than codes, or another number of heads.
        """
        context_codes = self.codes if self.context_codes is None else self.context_codes
        return (
            self._extend(query, self.query, self.codes),
            self._extend(key, self.key, context_codes),
        )

    def _extend(self, vectors: Tensor, project: nn.Linear, codes: Tensor) -> Tensor:
        num_heads, num_tokens = vectors.shape[1:3]
        if num_tokens > len(codes) or num_heads != self.heads:
            raise ShapeError(
                f"Untied positions of {len(codes)} tokens and {self.heads} heads met {num_tokens} "
                f"tokens and {num_heads} heads."
            )
        placed = project(codes[:num_tokens]).unflatten(-1, (self.heads, -1)).transpose(0, 1)
        # <(q, p U_q), (k, p U_k)> = q k^T + p U_q U_k^T p^T: one product computes both sums, and
        # the score divides by sqrt(2 K) because the vectors are now 2 K long.
        return torch.cat([vectors, placed.to(vectors).expand(vectors.shape[0], -1, -1, -1)], dim=-1)
