"""Convolution as attention against torch's own convolutions."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from orthogan.attention import as_attention, as_convolution
from orthogan.rng import initialization, stream

MODES = ("zeros", "circular", "reflect", "replicate")

# Every option in every kind, alone and together; even kernels pad 'same' unequally.
SETTINGS: list[dict[str, Any]] = [
    {"kernel_size": 3},
    {"kernel_size": 1},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "stride": 2},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": 3, "padding": 1, "groups": 2},
    {"kernel_size": 3, "padding": 1, "groups": 4},
    {"kernel_size": 3, "bias": False},
    {"kernel_size": 4, "padding": "same"},
    {"kernel_size": 4, "padding": "same", "dilation": 2},
    {"kernel_size": 3, "padding": "valid"},
    {"kernel_size": 5, "padding": 3, "stride": 3, "dilation": 2, "groups": 2, "bias": False},
]
UNEVEN: list[dict[str, Any]] = [
    {"kernel_size": (3, 2), "padding": (2, 0), "stride": (1, 2), "dilation": (2, 1)},
    {"kernel_size": (1, 4), "padding": "same"},
]
CASES = [
    (axes, mode, settings)
    for axes, mode, settings in itertools.product((1, 2), MODES, SETTINGS + UNEVEN)
    if axes == 2 or settings not in UNEVEN
]
# torch says that an even kernel with padding 'same' costs it a copy.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
SIZES = {1: (11,), 2: (9, 11), 3: (5, 4, 6)}
KINDS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def convolution(axes: int, dtype: torch.dtype = torch.float64, **settings: Any) -> nn.Module:
    with initialization(0, "convolution"):
        return KINDS[axes](4, 8, **settings, dtype=dtype)


def inputs(axes: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(stream(0, "images").standard_normal((2, 4, *SIZES[axes]))).to(dtype)


@pytest.mark.parametrize(("axes", "mode", "settings"), CASES)
def test_output_is_that_of_torch(axes: int, mode: str, settings: dict[str, Any]) -> None:
    conv, images = convolution(axes, padding_mode=mode, **settings), inputs(axes)
    attention = as_attention(conv)
    expected = conv(images)
    torch.testing.assert_close(attention(images), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(attention(images[0]), expected[0], rtol=0, atol=1e-12)
    dense = attention.mix(images, attention.weights(SIZES[axes]))
    torch.testing.assert_close(dense, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_volumes_work_too(mode: str) -> None:
    conv, images = convolution(3, kernel_size=3, padding=1, padding_mode=mode), inputs(3)
    torch.testing.assert_close(as_attention(conv)(images), conv(images), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_single_precision(mode: str) -> None:
    for axes in (1, 2):
        conv = convolution(axes, torch.float32, kernel_size=3, padding=1, padding_mode=mode)
        images = inputs(axes, torch.float32)
        torch.testing.assert_close(as_attention(conv)(images), conv(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_images_of_the_usual_sizes(channels: int, side: int) -> None:
    with initialization(0, "convolution"):
        conv = nn.Conv2d(channels, 6, 5, stride=2, padding=2)
    images = torch.from_numpy(stream(0, "images").random((3, channels, side, side))).float()
    torch.testing.assert_close(as_attention(conv)(images), conv(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("axes", "mode", "settings"), CASES[::3])
def test_gradients_are_those_of_torch(axes: int, mode: str, settings: dict[str, Any]) -> None:
    conv, images = convolution(axes, padding_mode=mode, **settings), inputs(axes).requires_grad_()
    attention = as_attention(conv)
    slopes = []
    for module in (conv, attention):
        slope = torch.autograd.grad(module(images).square().sum(), images, create_graph=True)[0]
        module.zero_grad()
        slope.square().sum().backward()  # the second derivative, as a gradient penalty takes it
        slopes.append(slope)
    torch.testing.assert_close(slopes[1], slopes[0], rtol=0, atol=1e-11)
    back = attention.value.grad.permute(1, 2, 0).unflatten(2, attention.taps.kernel_size)
    scale = float(conv.weight.grad.abs().max())
    torch.testing.assert_close(back, conv.weight.grad, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(("axes", "mode", "settings"), CASES)
def test_there_and_back_is_bit_identical(axes: int, mode: str, settings: dict[str, Any]) -> None:
    conv = convolution(axes, padding_mode=mode, **settings)
    back = as_convolution(as_attention(conv))
    assert repr(back) == repr(conv)
    assert back.state_dict().keys() == conv.state_dict().keys()
    for name, tensor in conv.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)
    assert torch.equal(back(inputs(axes)), conv(inputs(axes)))
