"""Positional encodings for a grid of tokens, one row a token in (row, col) order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from orthogan.errors import ConfigError
from orthogan.registry import Registry
from orthogan.shapes import Codes, Tokens

POSITIONS: Registry[Callable[[int, int, int], Codes]] = Registry(
    "positional encoding", "orthogan.attention.positions", group="positions"
)

POSITION_MODES = ("add", "concatenate")
# Vaswani et al. 2017, section 3.5: wavelengths form a geometric progression up to 10000 * 2 pi.
SINUSOID_BASE = 10000.0


def sinusoid(positions: Tensor, width: int) -> Codes:
    r"""Sinusoidal codes $(\sin \omega_k s, \cos \omega_k s)$ of each position `s`.

    Source: Vaswani et al. 2017, section 3.5.

    >>> sinusoid(torch.arange(2.0), 2)
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    if width % 2:
        raise ConfigError(f"A sinusoidal code needs an even width, got {width}.")
    frequency = SINUSOID_BASE ** -(torch.arange(0, width, 2) / width)
    angle = positions[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


@POSITIONS.register("sinusoidal")
def sinusoidal(rows: int, cols: int, width: int) -> Codes:
    """Half of the width encodes the row, the other half the column."""
    if width % 4:
        raise ConfigError(f"A 2-D sinusoidal code needs a width divisible by 4, got {width}.")
    row_code = sinusoid(torch.arange(float(rows)), width // 2)
    col_code = sinusoid(torch.arange(float(cols)), width // 2)
    return torch.cat([row_code.repeat_interleave(cols, dim=0), col_code.repeat(rows, 1)], dim=1)


@POSITIONS.register("sinusoidal-1d")
def sinusoidal_1d(rows: int, cols: int, width: int) -> Codes:
    """The whole width encodes the place in the sequence, row after row."""
    return sinusoid(torch.arange(float(rows * cols)), width)


@POSITIONS.register("learned")
def learned(rows: int, cols: int, width: int) -> Codes:
    """Small random codes, trained with the network."""
    # Standard deviation of ViT (Dosovitskiy et al. 2021): small beside the token contents.
    return nn.Parameter(0.02 * torch.randn(rows * cols, width))


@POSITIONS.register("none")
def none(rows: int, cols: int, width: int) -> Codes:
    """No code: attention alone is then blind to the order of the tokens."""
    return torch.zeros(rows * cols, width)


class PositionalEncoding(nn.Module):
    """Gives each token its code; the codes are `codes`, `T P`.

    Args:
        name: One of `position_names()`.
        rows: Rows of the token grid.
        cols: Columns of the token grid.
        width: Width of the codes; to be added, that of the tokens.
        position_mode: "add" moves each token by its code; "concatenate" appends the code to it, so
            that the tokens come out wider by `width`.

    Raises:
        UnknownNameError: no such code.
        ConfigError: the code cannot have this width, or no such mode.
    """

    codes: Tensor

    def __init__(
        self, name: str, rows: int, cols: int, width: int, position_mode: str = "add"
    ) -> None:
        super().__init__()
        check_position_mode(position_mode)
        self.position_mode = position_mode
        codes = POSITIONS[name](rows, cols, width)
        if isinstance(codes, nn.Parameter):
            self.codes = codes
        else:
            self.register_buffer("codes", codes, persistent=False)

    def forward(self, tokens: Tokens) -> Tensor:
        """The tokens, each moved by its code or with the code behind it."""
        return inject(tokens, self.codes, self.position_mode)


def inject(tokens: Tokens, codes: Codes, position_mode: str = "add") -> Tensor:
    """Tokens `B T D` with codes `T P` added, or appended: `B T (D + P)`.

    >>> inject(torch.zeros(1, 2, 1), torch.ones(2, 2), "concatenate").tolist()
    [[[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]]
    """
    if position_mode == "add":
        return tokens + codes
    # As a sum does, so that tokens go on in the precision of the codes, not that of a product.
    common = torch.promote_types(tokens.dtype, codes.dtype)
    behind = codes.to(common).expand(tokens.shape[0], -1, -1)
    return torch.cat([tokens.to(common), behind], dim=-1)


def check_position_mode(position_mode: str) -> None:
    """Nothing, if codes can be injected so.

    Raises:
        ConfigError: they cannot.
    """
    if position_mode not in POSITION_MODES:
        raise ConfigError(
            f"'position_mode' is one of {', '.join(POSITION_MODES)}, got '{position_mode}'; "
            "rotary and untied positions act inside the attention layer."
        )


def position_names() -> list[str]:
    """Every registered positional encoding, in alphabetical order.

    >>> position_names()
    ['learned', 'none', 'sinusoidal', 'sinusoidal-1d']
    """
    return list(POSITIONS)
