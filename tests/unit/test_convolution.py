"""Convolution as attention: the weights, the values, the copy, what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from orthogan.attention import Attention, as_attention, as_convolution, attend
from orthogan.attention.taps import Taps
from orthogan.errors import ConfigError, ShapeError
from orthogan.rng import initialization, normal, stream


def conv2d(*arguments: int, **settings: object) -> nn.Conv2d:
    with initialization(0, "convolution"):
        return nn.Conv2d(*arguments, **settings)


def test_weights_depend_on_the_offset_alone() -> None:
    rows, cols = 4, 5
    attention = as_attention(conv2d(1, 1, 3, padding=1))
    weights = attention.weights((rows, cols)).unflatten(2, (rows, cols)).unflatten(1, (rows, cols))
    for head, (down, right) in enumerate(attention.taps.shifts().tolist()):
        for row in range(rows):
            for col in range(cols):
                for key_row in range(rows):
                    for key_col in range(cols):
                        is_read = (key_row - row, key_col - col) == (down, right)
                        assert weights[head, row, col, key_row, key_col] == float(is_read)


def test_rows_hold_a_single_one_or_nothing() -> None:
    inside = as_attention(conv2d(1, 1, 3)).weights((5, 6))
    assert inside.shape == (9, 3 * 4, 5 * 6)
    assert torch.equal(inside.sum(-1), torch.ones(9, 12))
    padded = as_attention(conv2d(1, 1, 3, padding=1)).weights((5, 6)).sum(-1)
    corner, centre = padded[0], padded[4]
    assert torch.equal(centre, torch.ones(30))
    assert int((corner == 0).sum()) == 5 + 6 - 1  # the top row and the left column see zeros


def test_the_definition_of_attention_gives_the_output() -> None:
    conv = conv2d(2, 6, 3, padding=1, groups=2)
    attention, images = as_attention(conv), normal((2, 2, 5, 4), stream(0, "images"))
    values = attention.values(images)
    assert values.shape == (2, 9, 20, 6)
    by_matrix = images.flatten(2).transpose(1, 2)[:, None] @ attention.value_matrices().mT
    torch.testing.assert_close(values, by_matrix)
    mixed = attend(attention.weights((5, 4))[None], values).sum(1) + conv.bias
    torch.testing.assert_close(mixed.transpose(1, 2).unflatten(2, (5, 4)), conv(images))


def test_groups_are_block_diagonal_values() -> None:
    matrices = as_attention(conv2d(4, 6, 1, groups=2)).value_matrices()
    assert matrices.shape == (1, 6, 4)
    assert not matrices[0, :3, 2:].any()
    assert not matrices[0, 3:, :2].any()
    assert matrices[0, :3, :2].all()


def test_sizes_may_follow_one_another() -> None:
    conv = conv2d(1, 2, 3, padding=1, padding_mode="circular")
    attention = as_attention(conv)
    for shape in ((4, 6), (6, 4), (8, 3), (4, 6)):
        images = normal((2, 1, *shape), stream(0, "images"))
        torch.testing.assert_close(attention(images), conv(images), rtol=0, atol=1e-5)
        assert attention.weights(shape).shape == (9, 24, 24)


def test_an_empty_batch_stays_empty() -> None:
    attention = as_attention(conv2d(1, 2, 3))
    nothing = torch.zeros(0, 1, 5, 5)
    assert attention(nothing).shape == (0, 2, 3, 3)
    assert attention.mix(nothing, attention.weights((5, 5))).shape == (0, 2, 3, 3)


def test_the_second_derivative_is_right() -> None:
    with initialization(0, "convolution"):
        attention = as_attention(nn.Conv1d(2, 2, 3, padding=1, groups=2, dtype=torch.float64))
    signal = normal((1, 2, 4), stream(0, "signal")).double().requires_grad_()

    def cubed(tokens: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(attention, {"value": value}, tokens) ** 3

    assert torch.autograd.gradgradcheck(cubed, (signal, attention.value.detach().requires_grad_()))


def test_the_copy_is_independent_and_trainable() -> None:
    conv = conv2d(1, 2, 3)
    before = copy.deepcopy(conv.state_dict())
    attention = as_attention(conv)
    torch.optim.SGD(attention.parameters(), 0.1).zero_grad()
    attention(torch.ones(1, 1, 3, 3)).sum().backward()
    torch.optim.SGD(attention.parameters(), 0.1).step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in conv.state_dict().items())
    trained = as_convolution(attention)
    torch.testing.assert_close(trained.weight, conv.weight - 0.1)
    torch.testing.assert_close(trained.bias, conv.bias - 0.1)
    with torch.no_grad():
        attention.value.zero_()
    assert trained.weight.any()


def test_frozen_and_evaluated_stay_so() -> None:
    conv = conv2d(1, 2, 3).eval()
    conv.weight.requires_grad_(requires_grad=False)
    attention = as_attention(conv)
    back = as_convolution(attention)
    assert not attention.training
    assert not back.training
    assert not attention.value.requires_grad
    assert not back.weight.requires_grad
    assert back.bias.requires_grad


def test_going_back_draws_no_random_number() -> None:
    attention = as_attention(conv2d(1, 2, 3))
    before = torch.get_rng_state()
    as_convolution(attention)
    assert torch.equal(torch.get_rng_state(), before)


def test_spectral_norm_is_taken_as_it_is() -> None:
    conv = parametrizations.spectral_norm(conv2d(1, 2, 3)).eval()
    images = normal((1, 1, 4, 4), stream(0, "images"))
    torch.testing.assert_close(as_attention(conv)(images), conv(images))


def test_it_says_what_it_is() -> None:
    text = repr(as_attention(conv2d(4, 6, 3, padding="same", groups=2)))
    assert "4, 6, heads=9" in text
    assert "padding='same'" in text


class OwnForward(nn.Conv2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).relu()


def hooked() -> nn.Module:
    conv = nn.Conv2d(1, 1, 1)
    conv.register_forward_hook(lambda *_: None)
    return conv


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (nn.ConvTranspose2d(1, 1, 3), "got ConvTranspose2d. A transposed convolution reads"),
        (nn.Linear(1, 1), "as_attention takes nn.Conv1d, Conv2d or Conv3d, got Linear"),
        (nn.LazyConv2d(1, 1), "LazyConv2d has no weights yet"),
        (OwnForward(1, 1, 1), "OwnForward has a forward of its own"),
        (hooked(), "forward hooks, which attention would leave out; remove them first"),
    ],
)
def test_what_is_no_plain_convolution_is_refused(module: nn.Module, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        as_attention(module)


def test_only_its_own_attention_becomes_a_convolution() -> None:
    with pytest.raises(ConfigError, match="made by as_attention is a convolution, got Attention"):
        as_convolution(Attention(8, heads=2))


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((2, 3, 8, 8), r"expects \(batch, 4, rows, cols\), got \(2, 3, 8, 8\)"),
        ((8, 8), r"expects \(batch, 4, rows, cols\), got \(8, 8\)"),
        ((2, 4, 8, 2), "Axis 1 has 2 positions, 2 with padding, fewer than the 5"),
        ((2, 4, 0, 8), "Axis 0 has 0 positions"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(ShapeError, match=sentence):
        as_attention(conv2d(4, 1, 3, dilation=2))(torch.zeros(shape))


@pytest.mark.parametrize(("mode", "smallest"), [("circular", 3), ("reflect", 4)])
def test_padding_cannot_reach_further_than_torch_lets_it(mode: str, smallest: int) -> None:
    conv = nn.Conv1d(1, 1, 3, padding=3, padding_mode=mode)
    attention = as_attention(conv)
    signal = torch.arange(float(smallest))[None]
    torch.testing.assert_close(attention(signal), conv(signal), rtol=0, atol=1e-5)
    with pytest.raises(RuntimeError):
        conv(signal[:, 1:])
    with pytest.raises(ShapeError, match=f"positions, too few for {mode} padding of 3"):
        attention(signal[:, 1:])


def test_weights_that_do_not_fit_are_refused() -> None:
    attention = as_attention(conv2d(1, 1, 3))
    with pytest.raises(ShapeError, match=r"\(9, 4, 16\), got \(9, 16, 4\)"):
        attention.mix(torch.zeros(1, 1, 4, 4), torch.zeros(9, 16, 4))
    with pytest.raises(ShapeError, match=r"a size of 2 numbers, got \(4,\)"):
        attention.weights(4)


def test_padded_positions_are_those_around_the_input() -> None:
    taps = Taps((3,), (1,), (1,), ((1, 2),), "zeros")
    assert taps.padded_positions(3).flatten().tolist() == [-1, 0, 1, 2, 3, 4]
    assert taps.tokens_at(taps.padded_positions(3), 3).tolist() == [-1, 0, 1, 2, -1, -1]
