"""Position codes turned as a whole into the directions in which tokens vary least."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.attention.positions import check_position_mode, inject
from orthogan.errors import ConfigError, ShapeError
from orthogan.geometry.positions.alignment import place_positions
from orthogan.shapes import Tokens


class OrthogonalEncoding(nn.Module):
    """Given codes, placed by the tokens they will meet; their mutual geometry is kept.

    Codes cannot be orthogonal to a token table of full rank; this comes as near as a rotation can
    (`orthogan.geometry.place_positions`).

    Args:
        codes: One code a token, `T P`, such as `PositionalEncoding("sinusoidal", ...).codes`.
        position_mode: "add" or "concatenate", as in `PositionalEncoding`.

    Raises:
        ShapeError: the codes are not `T P`.
        ConfigError: no such mode.

    >>> code = OrthogonalEncoding(torch.tensor([[1.0, 0.0]]))
    >>> code.place(torch.tensor([[9.0, 0.0], [-9.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    >>> code(torch.zeros(1, 1, 2)).abs().tolist()
    [[[0.0, 1.0]]]
    """

    codes: Tensor
    placed: Tensor

    def __init__(self, codes: Tensor, position_mode: str = "add") -> None:
        super().__init__()
        check_position_mode(position_mode)
        if codes.dim() != 2 or 0 in codes.shape:
            raise ShapeError(f"'codes' needs one code a token, got shape {tuple(codes.shape)}.")
        self.position_mode = position_mode
        self.is_placed = False  # the same as `placed`, known without asking the device
        self.register_buffer("codes", codes.detach().clone())
        self.register_buffer("placed", torch.tensor(False))
        self.register_load_state_dict_post_hook(_note_placed)  # type: ignore[no-untyped-call]

    def place(self, tokens: Tensor) -> None:
        """Turns the codes by tokens of the data set (any leading axes), of the codes' width.

        Raises:
            ShapeError: another width, or no tokens.
            DataError: a value is not finite.
        """
        self.codes.copy_(place_positions(self.codes, tokens.flatten(0, -2)))
        self.placed.fill_(True)
        self.is_placed = True

    def forward(self, tokens: Tokens) -> Tensor:
        """The tokens, each moved by its code or with the code behind it.

        Raises:
            ConfigError: the codes were never placed.
        """
        if not self.is_placed:
            raise ConfigError(
                "These codes wait for the tokens they shall not disturb: call place(tokens) with "
                "tokens of the data set, or use PositionalEncoding for codes as they are."
            )
        return inject(tokens, self.codes, self.position_mode)


def _note_placed(code: nn.Module, _incompatible: object) -> None:
    if isinstance(code, OrthogonalEncoding):
        code.is_placed = bool(code.placed)
