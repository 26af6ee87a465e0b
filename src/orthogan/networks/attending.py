"""What attending networks have in common: where keys come from, and how positions enter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from orthogan.attention import (
    SCORES,
    Attention,
    OrthogonalEncoding,
    PositionalEncoding,
    RelativePositions,
    Rotary,
    UntiedPositions,
    grid_coordinates,
    initialize_mimetic,
    line_coordinates,
)
from orthogan.attention.keys import KEYS, Sizes, make_keys
from orthogan.attention.layer import check_score
from orthogan.attention.mimetic import check_mimetic
from orthogan.attention.positions import POSITIONS
from orthogan.config import Config, OneOf
from orthogan.errors import ConfigError
from orthogan.networks.limits import MOST_WIDE
from orthogan.shapes import Tokens

ScoreName: TypeAlias = Annotated[str, OneOf("attention score", lambda: SCORES)]
KeysName: TypeAlias = Annotated[str, OneOf("kind of keys", lambda: KEYS)]
PositionMode: TypeAlias = Literal["add", "concatenate", "rotate", "untied", "orthogonal"]

# An appended encoding takes a quarter of the width: of 16 dimensions, four waves an axis, which
# tell apart the rows and columns of the largest grid here.
WIDTHS_PER_CODE = 4
# Position codes with an angle at each place, and the coordinates that it grows with.
_ANGLES: dict[str, Callable[[int], Tensor]] = {
    "sinusoidal": lambda side: grid_coordinates(side, side),
    "sinusoidal-1d": lambda side: line_coordinates(side * side),
}


class AttendingConfig(Config):
    """Settings of the attention in a network; to be inherited beside those of the network."""

    RENAMED: ClassVar[Mapping[str, str]] = {  # of version 0.1
        "injection": "position_mode",
        "start": "initialization",
    }

    width: int
    blocks: int
    heads: int
    score: ScoreName
    keys: KeysName = Field(
        "learned",
        description="where keys come from: learned, values, queries, identity, dual, or whitened "
        "by the tokens of the first images, at the start of training",
    )
    key_size: int | None = Field(
        None, ge=1, le=MOST_WIDE, description="key size over all heads; null: the width"
    )
    positions: Annotated[str, OneOf("positional encoding", lambda: POSITIONS)] = Field(
        "learned", description="positional encoding"
    )
    position_mode: PositionMode = Field(
        "add",
        description="how the code enters: added; concatenated, in a quarter of the width; as a "
        "turn of queries and keys; as untied logits of its own; or added orthogonally, turned "
        "into the directions in which tokens of the first images vary least",
    )
    initialization: Literal["standard", "mimetic"] = Field(
        "standard", description="first weights of attention; mimetic: near the plain dot product"
    )

    @model_validator(mode="after")
    def _has_a_meaning(self) -> AttendingConfig:
        keys = make_keys(self.keys, Sizes(self.width, self.width, self.key_size))
        check_score(keys, self.score)
        if self.initialization == "mimetic":
            check_mimetic(keys.is_projected, keys.size // self.heads, self.width, self.width)
        _check_position_mode(self)
        return self

    @property
    def token_width(self) -> int:
        """Width of the tokens before their positional encoding."""
        return self.width - (code_width(self.width) if self.position_mode == "concatenate" else 0)

    def place(self, side: int) -> nn.Module:
        """The positional encoding of a square grid of tokens, before the first block."""
        if self.position_mode in ("rotate", "untied"):
            return Identity()
        if self.position_mode == "concatenate":
            return PositionalEncoding(
                self.positions, side, side, self.width - self.token_width, "concatenate"
            )
        code = PositionalEncoding(self.positions, side, side, self.width)
        return OrthogonalEncoding(code.codes) if self.position_mode == "orthogonal" else code

    def attend(self, side: int, num_class: int = 0) -> Attention:
        """An attention layer for a square grid of tokens.

        Args:
            side: Tokens a side.
            num_class: Class tokens before those of the grid; they stand beside its first corner.
        """
        layer = Attention(self.width, self.heads, self.score, self.keys, self.key_size)
        layer.positions = self._inside(side, num_class, layer.key_size // self.heads)
        if self.initialization == "mimetic":
            initialize_mimetic(layer)
        return layer

    def _inside(self, side: int, num_class: int, head_size: int) -> RelativePositions | None:
        if self.position_mode == "rotate":
            return Rotary(_coordinates(self.positions, side, num_class), head_size)
        if self.position_mode == "untied":
            codes = _codes(self.positions, side, num_class, self.width)
            return UntiedPositions(codes, self.heads, head_size)
        return None


class Identity(nn.Module):
    """Tokens as they are, no less precise than with a code added: the blocks add to them."""

    def forward(self, tokens: Tokens) -> Tokens:
        """The tokens, in float32 at least."""
        return tokens.to(torch.promote_types(tokens.dtype, torch.float32))


def code_width(width: int) -> int:
    """The width of a code that is concatenated, out of `width` in all: a multiple of 4.

    >>> code_width(64), code_width(8)
    (16, 4)
    """
    return max(4, width // WIDTHS_PER_CODE // 4 * 4)


def _coordinates(positions: str, side: int, num_class: int) -> Tensor:
    places = _ANGLES[positions](side)
    if num_class == 0:
        return places
    # Where all coordinates are 0 nothing is turned.
    return torch.cat([places.new_zeros(num_class, places.shape[1]), places + 1])


def _codes(positions: str, side: int, num_class: int, width: int) -> Tensor:
    """The codes of the class tokens, then of the grid: those of a grid with a margin."""
    if num_class == 0:
        return PositionalEncoding(positions, side, side, width).codes
    if positions == "sinusoidal-1d":
        return PositionalEncoding(positions, 1, side * side + num_class, width).codes
    codes = PositionalEncoding(positions, side + 1, side + 1, width).codes
    rows, cols = _coordinates("sinusoidal", side, num_class).T
    chosen = codes.detach()[rows * (side + 1) + cols]
    return nn.Parameter(chosen) if isinstance(codes, nn.Parameter) else chosen


def _check_position_mode(config: AttendingConfig) -> None:
    position_mode, positions = config.position_mode, config.positions
    if position_mode == "add":
        return
    if positions == "none":
        raise ConfigError(
            f"position_mode={position_mode} has no code to inject with positions=none; "
            "choose a code, or leave position_mode out."
        )
    if position_mode == "rotate" and positions not in _ANGLES:
        raise ConfigError(
            "position_mode=rotate turns by the row and column (positions=sinusoidal) or by the "
            f"place in the sequence (positions=sinusoidal-1d); positions={positions} has no angles."
        )
    if position_mode == "orthogonal" and positions == "learned":
        raise ConfigError(
            "position_mode=orthogonal places the code once, and positions=learned goes on "
            "moving; use positions=sinusoidal."
        )
    if position_mode in ("rotate", "untied") and config.blocks == 0:
        raise ConfigError(
            f"position_mode={position_mode} acts inside attention, and there is none with blocks=0."
        )
    if position_mode == "concatenate" and config.token_width < 1:
        raise ConfigError(
            f"position_mode=concatenate gives {code_width(config.width)} of the width to the code, "
            f"which leaves nothing of width={config.width} to the tokens."
        )
