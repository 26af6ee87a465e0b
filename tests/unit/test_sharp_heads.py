"""Sharp softmax heads: the limit, the rate, the border."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from orthogan.attention import as_attention
from orthogan.attention.sharp_heads import (
    head_vector,
    quadratic_code,
    sharp_weights,
    sharpness_curve,
    weight_error_bound,
)
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.rng import initialization, stream

ALPHAS = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
CASES = [
    {"padding": 0},
    {"padding": 1},
    {"padding": 2, "dilation": 2},
    {"padding": 1, "stride": 2},
    {"padding": 1, "padding_mode": "circular"},
    {"padding": 1, "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "replicate"},
]


def conv2d(**settings: object) -> nn.Conv2d:
    with initialization(0, "convolution"):
        return nn.Conv2d(2, 3, 3, dtype=torch.float64, **settings)


def images(*shape: int) -> torch.Tensor:
    return torch.from_numpy(stream(0, "images").standard_normal(shape))


def test_the_logit_is_the_negative_squared_distance() -> None:
    offsets, shift = images(50, 2), torch.tensor([2.0, -1.0], dtype=torch.float64)
    logits = quadratic_code(offsets) @ head_vector(shift, 3.0)
    distance = (offsets - shift).square().sum(1) - shift.square().sum()
    torch.testing.assert_close(logits, -3 * distance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("settings", CASES)
def test_the_error_falls_below_the_bound_to_nothing(settings: dict[str, int], pad: bool) -> None:
    curve = sharpness_curve(conv2d(**settings), images(2, 2, 7, 6), ALPHAS, pad=pad)
    assert curve.sharpness == tuple(ALPHAS)
    for error, bound in zip(curve.weight_error, curve.weight_bound, strict=True):
        assert error <= bound + 1e-14
    assert list(curve.weight_error) == sorted(curve.weight_error, reverse=True)
    assert curve.output_error[0] > 0.1
    assert curve.output_error[-1] < 1e-12


def test_the_rate_is_exponential() -> None:
    curve = sharpness_curve(conv2d(padding=1), images(1, 2, 7, 6), [8.0, 16.0, 24.0])
    for errors in (curve.weight_error, curve.output_error):
        for blunt, sharp in ((0, 1), (1, 2)):
            assert math.log(errors[blunt] / errors[sharp]) == pytest.approx(8, abs=0.05)
    # Four neighbours in the plane take e^-alpha each, and the head loses what they take.
    assert curve.weight_error[1] == pytest.approx(8 * math.exp(-16), rel=1e-5)


def test_the_bound_is_the_sum_over_the_whole_plane() -> None:
    around = range(-30, 31)
    total = sum(math.exp(-0.5 * (row**2 + col**2)) for row in around for col in around)
    assert weight_error_bound(0.5, 2) == pytest.approx(2 * (1 - 1 / total), rel=1e-12)
    assert weight_error_bound(30.0, 1) == pytest.approx(4 * math.exp(-30), rel=1e-12)
    assert weight_error_bound(1e-4, 1) == pytest.approx(2, rel=0.01)


def test_unpadded_heads_tend_to_replicate_padding() -> None:
    for mode in ("zeros", "circular"):
        conv = conv2d(padding=1, padding_mode=mode)
        clipped = sharp_weights(as_attention(conv), (5, 6), 40.0, pad=False)
        replicate = as_attention(conv2d(padding=1, padding_mode="replicate")).weights((5, 6))
        torch.testing.assert_close(clipped, replicate, rtol=0, atol=1e-12)
        torch.testing.assert_close(clipped.sum(-1), torch.ones(9, 30).double())


def test_padded_zeros_take_their_share_of_the_weight() -> None:
    weights = sharp_weights(as_attention(conv2d(padding=1)), (5, 6), 40.0)
    torch.testing.assert_close(
        weights, as_attention(conv2d(padding=1)).weights((5, 6)), rtol=0, atol=1e-12
    )
    assert float(weights[0, 0].sum()) < 1e-12  # the corner tap of the corner pixel


def test_blunt_heads_average_the_image() -> None:
    weights = sharp_weights(as_attention(conv2d()), (5, 6), 1e-9)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 30), rtol=0, atol=1e-6)


def test_sequences_have_sharp_heads_too() -> None:
    with initialization(0, "convolution"):
        conv = nn.Conv1d(1, 1, 5, padding="same", dtype=torch.float64)
    curve = sharpness_curve(conv, images(1, 1, 12), [16.0])
    assert curve.weight_error[0] == pytest.approx(4 * math.exp(-16), rel=1e-5)


def test_a_zero_output_has_no_relative_error() -> None:
    conv = conv2d(padding=1, bias=False)
    curve = sharpness_curve(conv, torch.zeros(1, 2, 5, 5).double(), [1.0])
    assert curve.output_error == (0.0,)


@pytest.mark.parametrize("sharpness", [0.0, -1.0, math.nan, math.inf])
def test_a_sharpness_that_is_none_is_refused(sharpness: float) -> None:
    with pytest.raises(ConfigError, match="sharpness must be a positive finite number"):
        sharp_weights(as_attention(conv2d()), (5, 5), sharpness)


def test_curves_without_substance_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one value"):
        sharpness_curve(conv2d(), images(1, 2, 5, 5), [])
    with pytest.raises(DataError, match="images holds NaN"):
        sharpness_curve(conv2d(), torch.full((1, 2, 5, 5), math.nan).double(), [1.0])
    with pytest.raises(ShapeError, match="expects"):
        sharpness_curve(conv2d(), images(1, 3, 5, 5), [1.0])
    with pytest.raises(ConfigError, match="got Linear"):
        sharpness_curve(nn.Linear(1, 1), images(1, 2, 5, 5), [1.0])
