"""Attention on sinusoidal codes as convolution: rings, tori, lines, and what is no convolution."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from orthogan.attention import as_attention
from orthogan.attention.offset_forms import (
    OffsetForm,
    fit_form,
    form_of_omega,
    fourier_form,
    grid_positions,
)
from orthogan.attention.offset_kernels import offset_kernel
from orthogan.attention.positions import SINUSOID_BASE, sinusoid
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.rng import initialization, normal, stream


def draw(*shape: int, name: str = "kernel") -> torch.Tensor:
    return torch.from_numpy(stream(0, name).standard_normal(shape))


def geometric(width: int) -> torch.Tensor:
    """The frequencies of the original sinusoids, one column."""
    return SINUSOID_BASE ** -(torch.arange(0, width, 2, dtype=torch.float64)[:, None] / width)


def circulant(kernel: torch.Tensor) -> torch.Tensor:
    """Row t holds kernel[s - t] at s, written out."""
    n = len(kernel)
    return torch.stack([torch.stack([kernel[(s - t) % n] for s in range(n)]) for t in range(n)])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 16, 33, 128])
def test_a_random_kernel_gives_its_circulant_matrix(n: int) -> None:
    kernel = draw(n)
    form = fourier_form(kernel)
    positions = torch.arange(n, dtype=torch.float64)[:, None]
    codes = form.codes(positions)
    assert codes.shape == (n, 2 * (n // 2 + 1))
    expected = 2 * math.pi * torch.arange(n // 2 + 1, dtype=torch.float64) / n
    torch.testing.assert_close(form.frequencies[:, 0], expected)
    weights = codes @ form.omega() @ codes.T
    torch.testing.assert_close(weights, circulant(kernel), rtol=0, atol=1e-12)
    torch.testing.assert_close(form.weights(positions), weights, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (6, 1), (5, 8), (16, 16)])
def test_a_random_kernel_on_a_torus_is_torch_circular_convolution(shape: tuple[int, int]) -> None:
    kernel, image = draw(*shape), draw(*shape, name="image")
    weights = fourier_form(kernel).weights(grid_positions(shape))
    ours = (weights @ image.flatten()).unflatten(0, shape)
    # torch reads kernel[d] at offset d of an image that is repeated once along both axes.
    repeated = image.repeat(2, 2)[None, None, :-1, :-1]
    torch.testing.assert_close(
        ours, functional.conv2d(repeated, kernel[None, None])[0, 0], rtol=0, atol=1e-11
    )


def test_each_head_of_a_circular_convolution_is_a_form_on_sinusoids() -> None:
    conv = torch.nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", dtype=torch.float64)
    attention, size = as_attention(conv), (5, 6)
    for shift, weights in zip(attention.taps.shifts(), attention.weights(size), strict=True):
        kernel = torch.zeros(size, dtype=torch.float64)
        kernel[shift[0], shift[1]] = 1  # negative shifts wrap round, as indices do
        made = fourier_form(kernel).weights(grid_positions(size))
        torch.testing.assert_close(made, weights, rtol=0, atol=1e-12)


def test_the_original_sinusoids_give_a_toeplitz_matrix() -> None:
    form = OffsetForm(geometric(16), draw(8), draw(8, name="sine"))
    positions = torch.arange(50, dtype=torch.float64)[:, None]
    weights = form.weights(positions)
    for offset in range(-49, 50):
        products = weights.diagonal(offset)
        expected = form.at(torch.tensor([[float(offset)]])).expand_as(products)
        torch.testing.assert_close(products, expected, rtol=0, atol=1e-12)
    assert offset_kernel(weights, 50).share == pytest.approx(1, abs=1e-12)


def test_the_codes_are_those_of_the_position_code() -> None:
    form = OffsetForm(geometric(16).float(), torch.ones(8), torch.zeros(8))
    positions = torch.arange(20.0)
    torch.testing.assert_close(form.codes(positions[:, None]), sinusoid(positions, 16))


def test_shifting_every_position_changes_nothing() -> None:
    form = OffsetForm(draw(5, 2), draw(5), draw(5, name="sine"))
    queries, keys = draw(7, 2, name="queries"), draw(9, 2, name="keys")
    weights = form.weights(queries, keys)
    assert weights.shape == (7, 9)
    torch.testing.assert_close(form.weights(queries + 3, keys + 3), weights, rtol=0, atol=1e-12)
    assert not torch.allclose(form.weights(queries, keys + 3), weights)


def test_a_free_block_depends_on_absolute_position() -> None:
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))  # does not commute
    codes = OffsetForm(torch.ones(1, 1).double(), draw(1), draw(1)).codes(
        torch.arange(6, dtype=torch.float64)[:, None]
    )
    weights = codes @ mirror @ codes.T
    position = torch.arange(6, dtype=torch.float64)
    torch.testing.assert_close(weights, -(position[:, None] + position).cos(), rtol=0, atol=1e-12)
    assert offset_kernel(weights, 6).share < 0.9
    with pytest.raises(ConfigError, match="mixes frequencies or depends on absolute position"):
        form_of_omega(mirror, torch.ones(1, 1))


def test_row_and_column_codes_reach_only_sums_of_a_row_and_a_column_kernel() -> None:
    row, col = fourier_form(draw(5)), fourier_form(draw(6, name="col"))
    zero = torch.zeros_like
    frequencies = torch.cat(
        [
            torch.cat([row.frequencies, zero(row.frequencies)], 1),
            torch.cat([zero(col.frequencies), col.frequencies], 1),
        ]
    )
    cosine, sine = torch.cat([row.cosine, col.cosine]), torch.cat([row.sine, col.sine])
    kernel = OffsetForm(frequencies, cosine, sine).kernel((5, 6))
    expected = row.kernel(5)[:, None] + col.kernel(6)
    torch.testing.assert_close(kernel, expected, rtol=0, atol=1e-12)
    # A single tap is no such sum: the best one keeps (5 + 6 - 1) / 30 of its energy.
    tap = torch.zeros(30, dtype=torch.float64)
    tap[0] = 1
    best = fit_form(grid_positions((5, 6)), tap, frequencies).kernel((5, 6))
    assert float(best.square().sum()) == pytest.approx((5 + 6 - 1) / 30, abs=1e-12)


def test_the_fit_recovers_a_form_and_is_optimal_elsewhere() -> None:
    form = OffsetForm(torch.tensor([[0.7], [1.9]]).double(), draw(2), draw(2, name="sine"))
    offsets = torch.arange(-5, 6, dtype=torch.float64)[:, None]
    found = fit_form(offsets, form.at(offsets), form.frequencies)
    torch.testing.assert_close(found.cosine, form.cosine, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sine, form.sine, rtol=0, atol=1e-12)
    wanted = draw(11, name="wanted")
    rest = wanted - fit_form(offsets, wanted, form.frequencies).at(offsets)
    angle = offsets @ form.frequencies.T
    for wave in (angle.cos(), angle.sin()):
        torch.testing.assert_close(rest @ wave, torch.zeros(2).double(), rtol=0, atol=1e-12)


def test_a_kernel_one_token_wide_lies_outside_the_band_of_the_original_sinusoids() -> None:
    offsets = torch.arange(-27, 28, dtype=torch.float64)[:, None]
    wanted = (offsets[:, 0] == 1).double()
    for width in (64, 256):
        form = fit_form(offsets, wanted, geometric(width))
        share = float((form.at(offsets) - wanted).square().sum())
        assert share == pytest.approx(1 - 1 / math.pi, abs=0.1)
    fourier = 2 * math.pi * torch.arange(28, dtype=torch.float64)[:, None] / 55
    reached = fit_form(offsets, wanted, fourier).at(offsets)
    torch.testing.assert_close(reached, wanted, rtol=0, atol=1e-12)


def test_a_smaller_cutoff_fits_better_with_larger_entries() -> None:
    offsets = torch.arange(-27, 28, dtype=torch.float64)[:, None]
    wanted = (offsets[:, 0] == 1).double()
    forms = [fit_form(offsets, wanted, geometric(64), cutoff=cutoff) for cutoff in (1e-2, 1e-9)]
    errors = [float((form.at(offsets) - wanted).norm()) for form in forms]
    entries = [float(torch.cat([form.cosine, form.sine]).abs().max()) for form in forms]
    assert errors[1] < errors[0] - 0.01
    assert entries[1] > 1e3 * entries[0]
    for cutoff in (-0.1, 1.0, math.nan):
        with pytest.raises(ConfigError, match="cutoff must be from 0 to 1"):
            fit_form(offsets, wanted, geometric(64), cutoff=cutoff)


def test_single_precision_stays_single() -> None:
    kernel = draw(12).float()
    form = fourier_form(kernel)
    weights = form.weights(torch.arange(12.0)[:, None])
    assert form.cosine.dtype == weights.dtype == form.kernel(12).dtype == torch.float32
    torch.testing.assert_close(weights, circulant(kernel), rtol=0, atol=1e-5)


def test_the_null_share_is_that_of_random_weights() -> None:
    shares = []
    for seed in range(200):
        weights = normal((6, 6), stream(seed, "weights"))
        shares.append(offset_kernel(weights, 6).share)
    expected = offset_kernel(weights, 6).null_share
    assert expected == pytest.approx(10 / 35)
    assert sum(shares) / len(shares) == pytest.approx(expected, abs=0.02)
    wrapped = offset_kernel(weights, 6, circular=True)
    assert wrapped.null_share == pytest.approx(5 / 35)
    assert wrapped.kernel.shape == (6,)


def test_a_learned_softmax_map_is_not_a_convolution() -> None:
    from orthogan.attention import Attention

    with initialization(0, "layer"):
        layer = Attention(8, heads=1)
    weights = layer.weights(3 * normal((1, 9, 8), stream(0, "tokens"))).detach()[0, 0]
    assert offset_kernel(weights, (3, 3)).share < 0.9
    assert offset_kernel(torch.full((9, 9), 1 / 9), (3, 3)).share == 1


@pytest.mark.parametrize(
    ("kernel", "error", "sentence"),
    [
        (torch.tensor(1.0), ShapeError, r"at least one offset, got shape \(\)"),
        (torch.zeros(0), ShapeError, r"at least one offset, got shape \(0,\)"),
        (torch.tensor([1.0, math.nan]), DataError, "kernel holds NaN or infinite"),
    ],
)
def test_kernels_that_are_none_are_refused(
    kernel: torch.Tensor, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        fourier_form(kernel)


def test_forms_that_do_not_fit_are_refused() -> None:
    one = torch.ones(1)
    with pytest.raises(ShapeError, match="F cosine and F sine weights"):
        OffsetForm(torch.ones(2, 1), one, torch.ones(2))
    with pytest.raises(DataError, match="sine holds NaN"):
        OffsetForm(torch.ones(1, 1), one, one * math.inf)
    with pytest.raises(ShapeError, match=r"rows of 1 numbers.*got \(4,\)"):
        OffsetForm(torch.ones(1, 1), one, one).codes(torch.arange(4.0))
    with pytest.raises(ShapeError, match=r"need a matrix of \(2, 2\), got \(4, 4\)"):
        form_of_omega(torch.eye(4), torch.ones(1, 1))
    with pytest.raises(DataError, match="omega holds NaN"):
        form_of_omega(torch.eye(2) * math.nan, torch.ones(1, 1))
    with pytest.raises(ShapeError, match="Each offset needs one value"):
        fit_form(torch.ones(3, 1), torch.ones(2), torch.ones(1, 1))
    with pytest.raises(DataError, match="kernel holds NaN"):
        fit_form(torch.ones(1, 1), one * math.nan, torch.ones(1, 1))


def test_maps_that_are_not_of_the_grid_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"weights \(6, 6\), got \(6, 5\)"):
        offset_kernel(torch.zeros(6, 5), (2, 3))
    with pytest.raises(ShapeError, match=r"weights \(0, 0\)"):
        offset_kernel(torch.zeros(0, 0), 0)
    with pytest.raises(DataError, match="weights holds NaN"):
        offset_kernel(torch.full((2, 2), math.nan), 2)
