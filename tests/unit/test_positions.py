"""Position codes: order of rows and columns, the closed form, what is trained."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from orthogan.attention import Attention, PositionalEncoding, position_names
from orthogan.attention.positions import sinusoid
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.networks.blocks import Block, leaky_relu
from orthogan.rng import initialization, normal, stream

ROWS, COLS, WIDTH = 3, 5, 8


def code(name: str) -> PositionalEncoding:
    with initialization(0, "positions"):
        return PositionalEncoding(name, ROWS, COLS, WIDTH)


@pytest.mark.parametrize("name", position_names())
def test_a_code_is_added_to_every_token(name: str) -> None:
    positions = code(name)
    tokens = normal((2, ROWS * COLS, WIDTH), stream(0, "tokens"))
    assert positions.codes.shape == (ROWS * COLS, WIDTH)
    torch.testing.assert_close(positions(tokens) - tokens, positions.codes.expand(2, -1, -1))


def test_rows_come_before_columns() -> None:
    grid = code("sinusoidal").codes.unflatten(0, (ROWS, COLS))
    row_half, col_half = grid.split(WIDTH // 2, dim=-1)
    assert torch.equal(row_half, row_half[:, :1].expand_as(row_half))  # same along a row
    assert torch.equal(col_half, col_half[:1].expand_as(col_half))  # same down a column
    torch.testing.assert_close(row_half[:, 0], sinusoid(torch.arange(3.0), WIDTH // 2))
    torch.testing.assert_close(col_half[0], sinusoid(torch.arange(5.0), WIDTH // 2))
    assert len({tuple(row) for row in grid.flatten(0, 1).tolist()}) == ROWS * COLS


def test_sinusoid_has_its_closed_form() -> None:
    codes = sinusoid(torch.arange(6.0), WIDTH)
    for position in range(6):
        for k in range(WIDTH // 2):
            angle = position / 10000 ** (2 * k / WIDTH)
            assert codes[position, 2 * k].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert codes[position, 2 * k + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoid_depends_on_distance_alone() -> None:
    codes = sinusoid(torch.arange(40.0), 16)
    # |p|^2 = D / 2, because sin^2 + cos^2 = 1 in each of the D / 2 pairs.
    torch.testing.assert_close(codes.square().sum(1), torch.full((40,), 8.0))
    gram = codes @ codes.T
    for distance in (1, 7):
        products = gram.diagonal(distance)
        torch.testing.assert_close(products, products[:1].expand_as(products))


def test_norm_of_the_2d_code_is_half_the_width() -> None:
    squares = code("sinusoidal").codes.square().sum(1)
    torch.testing.assert_close(squares, torch.full((ROWS * COLS,), WIDTH / 2))


def test_only_learned_codes_are_trained_and_stored() -> None:
    for name in position_names():
        positions = code(name)
        assert (list(positions.state_dict()) == ["codes"]) is (name == "learned")
        assert isinstance(positions.codes, nn.Parameter) is (name == "learned")
    learned = code("learned")
    learned(torch.zeros(2, ROWS * COLS, WIDTH)).square().sum().backward()
    assert learned.codes.grad is not None
    assert float(learned.codes.detach().std()) == pytest.approx(0.02, rel=0.2)


def test_without_code_a_block_cannot_tell_the_order() -> None:
    with initialization(0, "block"):
        block = Block(WIDTH, Attention(WIDTH, 2), leaky_relu)
    tokens = normal((2, ROWS * COLS, WIDTH), stream(0, "tokens"))
    order = torch.arange(ROWS * COLS).flip(0)
    for name in position_names():
        positions = code(name)
        permuted, then = block(positions(tokens[:, order])), block(positions(tokens))[:, order]
        is_blind = torch.allclose(permuted, then, atol=1e-5)
        assert is_blind is (name == "none"), name


def test_widths_that_cannot_be_split_are_refused() -> None:
    with pytest.raises(ConfigError, match="even width, got 7"):
        sinusoid(torch.arange(3.0), 7)
    for width in (6, 7):
        with pytest.raises(ConfigError, match=f"divisible by 4, got {width}"):
            PositionalEncoding("sinusoidal", 2, 2, width)


def test_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sinusoidal'"):
        PositionalEncoding("sinusoid", 2, 2, 8)
