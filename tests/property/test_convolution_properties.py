"""Identities of convolution as attention, for any settings and any kernel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from orthogan.attention import as_attention, as_convolution
from orthogan.attention.offset_forms import form_of_omega, fourier_form, grid_positions
from orthogan.attention.offset_kernels import offset_kernel
from orthogan.errors import ShapeError
from orthogan.rng import initialization, stream

SMALL = st.integers(1, 3)
MODES = st.sampled_from(["zeros", "circular", "reflect", "replicate"])
SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=2).map(tuple)


@settings(max_examples=80, deadline=None)
@given(
    kernel=st.tuples(SMALL, SMALL),
    stride=st.tuples(SMALL, SMALL),
    dilation=st.tuples(SMALL, SMALL),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    mode=MODES,
    groups=SMALL,
    has_bias=st.booleans(),
)
def test_any_convolution_is_attention(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int],
    size: tuple[int, int],
    mode: str,
    groups: int,
    has_bias: bool,
) -> None:
    with initialization(0, "convolution"):
        conv = nn.Conv2d(
            2 * groups,
            3 * groups,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            has_bias,
            mode,
            dtype=torch.float64,
        )
    images = torch.from_numpy(stream(0, "images").standard_normal((2, 2 * groups, *size)))
    attention = as_attention(conv)
    try:
        expected = conv(images)
    except RuntimeError:  # torch finds the input too small: so must we
        with pytest.raises(ShapeError):
            attention(images)
        return
    torch.testing.assert_close(attention(images), expected, rtol=0, atol=1e-12)
    dense = attention.mix(images, attention.weights(size))
    torch.testing.assert_close(dense, expected, rtol=0, atol=1e-12)
    assert torch.equal(as_convolution(attention).weight, conv.weight)


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 1000))
def test_every_circular_kernel_is_reached_and_read_back(shape: tuple[int, ...], seed: int) -> None:
    kernel = torch.from_numpy(stream(seed, "kernel").standard_normal(shape))
    form = fourier_form(kernel)
    weights = form.weights(grid_positions(shape))
    found = offset_kernel(weights, shape, circular=True)
    torch.testing.assert_close(found.kernel, kernel, rtol=0, atol=1e-12)
    assert found.share == pytest.approx(1.0, abs=1e-12)
    torch.testing.assert_close(form.kernel(shape), kernel, rtol=0, atol=1e-12)
    back = form_of_omega(form.omega(), form.frequencies)
    torch.testing.assert_close(back.kernel(shape), kernel, rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 1000), circular=st.booleans())
def test_the_offset_kernel_is_a_projection(
    shape: tuple[int, ...], seed: int, circular: bool
) -> None:
    num_tokens = torch.Size(shape).numel()
    assume(num_tokens > 1)
    weights = torch.from_numpy(stream(seed, "weights").standard_normal((num_tokens, num_tokens)))
    found = offset_kernel(weights, shape, circular=circular)
    positions = grid_positions(shape).long()
    offsets = positions[None] - positions[:, None]
    size = torch.tensor(shape)
    index = offsets.remainder(size) if circular else offsets + size - 1
    nearest = found.kernel[index.unbind(-1)]
    rest = weights - nearest
    # Orthogonal to every function of the offset, of which the nearest one is an example.
    assert float((rest * nearest).sum()) == pytest.approx(0, abs=1e-10)
    assert 0 <= found.share <= 1
    again = offset_kernel(nearest, shape, circular=circular)
    torch.testing.assert_close(again.kernel, found.kernel, rtol=0, atol=1e-12)
