"""Rotary, untied, orthogonal and appended codes: their closed forms and their refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from orthogan.attention import (
    Attention,
    OrthogonalEncoding,
    PositionalEncoding,
    Rotary,
    UntiedPositions,
    grid_coordinates,
    line_coordinates,
)
from orthogan.attention.positions import sinusoid
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry import place_positions
from orthogan.rng import stream

LINE = line_coordinates(6)
CODES = PositionalEncoding("sinusoidal", 2, 3, 8).codes.double()


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "inside", counter).standard_normal(shape))


def test_a_code_can_be_appended() -> None:
    tokens = draw(2, 6, 5)
    codes = PositionalEncoding("sinusoidal", 2, 3, 8, position_mode="concatenate")
    found = codes(tokens)
    assert found.dtype == tokens.dtype
    assert torch.equal(found[..., :5], tokens)
    torch.testing.assert_close(found[..., 5:], codes.codes.double().expand(2, 6, 8))


def test_a_sequence_code_counts_row_after_row() -> None:
    codes = PositionalEncoding("sinusoidal-1d", 2, 3, 8).codes
    assert torch.equal(codes, sinusoid(torch.arange(6.0), 8))


def test_turning_is_multiplying_by_unit_complex_numbers() -> None:
    query, key = draw(2, 3, 6, 8), draw(2, 3, 6, 8, counter=1)
    turned, turned_key = Rotary(LINE, 8, base=100.0)(query, key)
    places = torch.arange(6, dtype=torch.float64)[:, None]
    angles = places * 100.0 ** -(torch.arange(4, dtype=torch.float64) / 4)
    for before, after in ((query, turned), (key, turned_key)):
        waves = torch.view_as_complex(before.unflatten(-1, (4, 2)).contiguous())
        expected = torch.view_as_real(waves * torch.exp(1j * angles)).flatten(-2)
        torch.testing.assert_close(after, expected, rtol=0, atol=1e-12)


def test_half_of_the_planes_turn_with_the_row_half_with_the_column() -> None:
    angles = Rotary(grid_coordinates(2, 3), 8).angles(grid_coordinates(2, 3))
    rates = torch.tensor([1.0, 0.01], dtype=torch.float64)
    rows, cols = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 2, 0, 1, 2])
    expected = torch.cat([rows[:, None] * rates, cols[:, None] * rates], 1)
    torch.testing.assert_close(angles, expected)


def test_planes_of_a_torus_turn_by_its_harmonics() -> None:
    """Once and twice around in the first plane of each axis and the second; none stands still."""
    angles = Rotary(torch.tensor([[0, 0], [1, 0], [0, 1]]), 8, periods=(6, 4)).angles(
        torch.tensor([[1, 0], [0, 1]])
    )
    turns = angles / (2 * torch.pi)
    expected = torch.tensor([[1 / 6, 2 / 6, 0, 0], [0, 0, 1 / 4, 2 / 4]])
    torch.testing.assert_close(turns, expected.double())


def test_base_and_periods_have_effect() -> None:
    query = draw(1, 1, 6, 8)
    plain = Rotary(LINE, 8)(query, query)[0]
    for other in (Rotary(LINE, 8, base=50.0), Rotary(LINE, 8, periods=(6,))):
        assert not torch.allclose(other(query, query)[0], plain)


def test_cross_attention_has_coordinates_of_its_own() -> None:
    query, key = draw(1, 1, 6, 8), draw(1, 1, 3, 8, counter=1)
    shared = Rotary(LINE, 8)(query, key)
    apart = Rotary(LINE, 8, context_coordinates=5 + line_coordinates(3))(query, key)
    assert torch.equal(shared[0], apart[0])
    assert not torch.allclose(shared[1], apart[1])
    padded = torch.cat([key.new_zeros(1, 1, 5, 8), key], dim=2)
    expected = Rotary(line_coordinates(8), 8)(padded, padded)[1][:, :, 5:]
    torch.testing.assert_close(apart[1], expected, rtol=0, atol=1e-12)


def test_precision_of_the_module_does_not_round_the_angles() -> None:
    far = line_coordinates(3) + 12_345
    query = draw(1, 1, 3, 8)
    exact = Rotary(far, 8)(query, query)[0]
    there_and_back = Rotary(far, 8).bfloat16().double()(query, query)[0]
    assert torch.equal(there_and_back, exact)
    assert Rotary(far, 8)(query.bfloat16(), query.bfloat16())[0].dtype == torch.bfloat16


def test_untied_logits_are_those_of_the_paper() -> None:
    codes = nn.Parameter(draw(6, 5, counter=1))
    untied = UntiedPositions(codes, heads=2, key_size=4).double()
    layer = Attention(8, heads=2, positions=untied).double()
    tokens = draw(3, 6, 8)

    def heads(rows: torch.Tensor) -> torch.Tensor:
        return rows.unflatten(-1, (2, 4)).transpose(-2, -3)

    query, key = heads(layer.query(tokens)), heads(layer.key_value(tokens)[..., :8])
    places, targets = heads(untied.query(codes)), heads(untied.key(codes))
    scale = (2 * 4) ** -0.5
    logits = scale * query @ key.transpose(-1, -2) + scale * places @ targets.transpose(-1, -2)
    torch.testing.assert_close(layer.weights(tokens), logits.softmax(-1), rtol=0, atol=1e-12)
    layer(tokens).square().sum().backward()
    assert codes.grad is not None
    assert set(untied.state_dict()) == {"codes", "query.weight", "key.weight"}


def test_untied_cross_attention_has_codes_of_its_own() -> None:
    query, key = draw(1, 2, 6, 4), draw(1, 2, 3, 4, counter=1)
    context = draw(3, 5, counter=3)
    untied = UntiedPositions(draw(6, 5, counter=2), 2, 4, context_codes=context).double()
    _, extended = untied(query, key)
    expected = untied.key(context).unflatten(-1, (2, 4)).transpose(0, 1)
    torch.testing.assert_close(extended[0, ..., 4:], expected)


def test_shorter_sequences_take_the_first_places() -> None:
    query = draw(1, 2, 6, 4)
    for positions in (Rotary(LINE, 4), UntiedPositions(draw(6, 5), 2, 4).double()):
        whole, part = positions(query, query)[0], positions(query[:, :, :4], query[:, :, :4])[0]
        torch.testing.assert_close(part, whole[:, :, :4])


def test_orthogonal_codes_are_the_given_ones_placed_by_the_tokens() -> None:
    data = draw(4, 10, 8) * torch.arange(1, 9)
    code = OrthogonalEncoding(CODES)
    code.place(data)
    torch.testing.assert_close(code.codes, place_positions(CODES, data.flatten(0, 1)))
    torch.testing.assert_close(code.codes @ code.codes.T, CODES @ CODES.T)
    tokens = draw(2, 6, 8)
    torch.testing.assert_close(code(tokens), tokens + code.codes)
    appended = OrthogonalEncoding(CODES, "concatenate")
    appended.load_state_dict(code.state_dict())
    torch.testing.assert_close(appended(tokens)[..., 8:], code.codes.expand(2, 6, 8))
    assert not list(code.parameters())


TOKENS = torch.zeros(1, 6, 8)
VECTORS = torch.zeros(1, 2, 6, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: PositionalEncoding("none", 2, 3, 8, "rotate"),
            ConfigError,
            "inside the attention",
        ),
        (lambda: OrthogonalEncoding(CODES, "ad"), ConfigError, "one of add, concatenate"),
        (lambda: OrthogonalEncoding(CODES)(TOKENS), ConfigError, r"call place\(tokens\)"),
        (lambda: OrthogonalEncoding(CODES[0]), ShapeError, "one code a token"),
        (
            lambda: OrthogonalEncoding(CODES).place(draw(9, 7)),
            ShapeError,
            "'codes' must be as wide",
        ),
        (lambda: OrthogonalEncoding(CODES).place(draw(9, 8) / 0), DataError, "'tokens' holds NaN"),
        (lambda: PositionalEncoding("sinusoidal-1d", 2, 3, 7), ConfigError, "even width, got 7"),
        (lambda: Rotary(LINE.double(), 4), ShapeError, "'coordinates' needs integers"),
        (lambda: Rotary(LINE[:, 0], 4), ShapeError, "'coordinates' needs integers"),
        (lambda: Rotary(LINE, 3), ConfigError, "divisible by 2, got 3"),
        (lambda: Rotary(grid_coordinates(2, 3), 6), ConfigError, "divisible by 4, got 6"),
        (lambda: Rotary(LINE, 0), ConfigError, "divisible by 2, got 0"),
        (lambda: Rotary(LINE, 4, base=0.0), ConfigError, "base .* is positive"),
        (lambda: Rotary(LINE, 4, periods=(3, 3)), ConfigError, "holds 1 positive"),
        (lambda: Rotary(LINE, 4, periods=(0,)), ConfigError, "holds 1 positive"),
        (lambda: Rotary(LINE, 4, grid_coordinates(1, 2)), ShapeError, "needs 1 axes"),
        (lambda: Rotary(LINE[:5], 4)(VECTORS, VECTORS), ShapeError, "for 5 tokens .* met 6"),
        (lambda: Rotary(LINE, 8)(VECTORS, VECTORS), ShapeError, "key size 8 .* key size 4"),
        (lambda: UntiedPositions(LINE[:, 0].double(), 2, 4), ShapeError, "'codes' needs"),
        (lambda: UntiedPositions(CODES, 2, 4, CODES[:, :3]), ShapeError, "'context_codes' needs"),
        (lambda: UntiedPositions(CODES, 0, 4), ConfigError, "at least 1"),
        (lambda: UntiedPositions(CODES, 2, 0), ConfigError, "at least 1"),
        (lambda: UntiedPositions(CODES, 3, 4)(VECTORS, VECTORS), ShapeError, "3 heads met"),
        (lambda: UntiedPositions(CODES[:5], 2, 4)(VECTORS, VECTORS), ShapeError, "5 tokens"),
    ],
)
def test_what_cannot_be_placed_is_refused(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
