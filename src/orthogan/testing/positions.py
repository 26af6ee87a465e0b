"""What every registered positional encoding promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orthogan.attention.positions import POSITIONS, PositionalEncoding
from orthogan.rng import initialization
from orthogan.testing.contract import Contract

ROWS, COLS, WIDTH = 3, 5, 16


def codes(name: str, rows: int = ROWS, cols: int = COLS) -> Tensor:
    with initialization(0, "position-contract"):
        return POSITIONS[name](rows, cols, WIDTH).detach()


class PositionContract(Contract):
    """One finite code per token, the same twice, and no larger than a token."""

    registry = POSITIONS

    @pytest.mark.parametrize(("rows", "cols"), [(ROWS, COLS), (1, 7), (8, 8)])
    def test_there_is_one_finite_code_per_token(self, name: str, rows: int, cols: int) -> None:
        found = codes(name, rows, cols)
        assert found.shape == (rows * cols, WIDTH)
        assert found.dtype == torch.float32
        assert bool(found.isfinite().all())

    def test_the_same_seed_gives_the_same_codes(self, name: str) -> None:
        assert torch.equal(codes(name), codes(name))

    def test_tokens_have_different_codes(self, name: str) -> None:
        distinct = len(codes(name).unique(dim=0))
        assert distinct == (1 if name == "none" else ROWS * COLS)

    def test_codes_are_no_larger_than_tokens(self, name: str) -> None:
        # Tokens have unit mean square; larger codes would drown what they say.
        assert float(codes(name).square().mean()) <= 1 + 1e-5

    def test_codes_enter_the_tokens(self, name: str) -> None:
        with initialization(0, "position-contract"):
            encoding = PositionalEncoding(name, ROWS, COLS, WIDTH)
        moved = encoding(torch.zeros(2, ROWS * COLS, WIDTH))
        torch.testing.assert_close(moved, encoding.codes.expand(2, -1, -1))
