"""Between images and tokens: the quick forms give what the plain layers give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogan import rng
from orthogan.networks.patches import ImageHead, InputConvolution, OutputConvolution, PatchStem


def _head(colours: int) -> ImageHead:
    with rng.initialization(0, "head"):
        return ImageHead(6, 5, colours).double()


def _by_library(features: torch.Tensor, layer: nn.ConvTranspose2d) -> torch.Tensor:
    return nn.ConvTranspose2d.forward(layer, features.permute(0, 3, 1, 2))


@pytest.mark.parametrize("colours", [1, 3])
def test_a_head_by_a_product_is_the_transposed_convolution(
    colours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, tokens = _head(colours), torch.randn(3, 16, 6, dtype=torch.float64)

    def image_and_slopes() -> list[torch.Tensor]:
        image = head(tokens)
        return [image, *torch.autograd.grad(image.square().sum(), list(head.parameters()))]

    by_product = image_and_slopes()
    assert by_product[0].shape == (3, colours, 16, 16)
    monkeypatch.setattr(OutputConvolution, "forward", lambda layer, seen: _by_library(seen, layer))
    torch.testing.assert_close(by_product, image_and_slopes(), rtol=1e-12, atol=1e-12)


def test_images_take_the_product_but_where_training_is_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, features = OutputConvolution(4, 1, 4, stride=2, padding=1), torch.zeros(2, 3, 3, 4)

    def refuse(*_args: object, **_settings: object) -> None:
        raise AssertionError("the kernel library was called")

    monkeypatch.setattr(nn.ConvTranspose2d, "forward", refuse)
    assert layer(features).shape == (2, 1, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            assert layer(features).shape == (2, 1, 6, 6)
        with pytest.raises(AssertionError, match="kernel library"):
            layer(features)


def test_tokens_of_patches_lie_in_order() -> None:
    with rng.initialization(0, "stem"):
        stem = PatchStem(1, 4, 8)
    tokens = stem(torch.zeros(2, 1, 28, 28))
    assert tokens.shape == (2, 16, 8)
    assert tokens.is_contiguous()


def _slopes(stem: PatchStem, images: torch.Tensor) -> list[torch.Tensor]:
    """The tokens, and the derivatives that a step with a gradient penalty takes."""
    images = images.clone().requires_grad_()
    tokens = stem(images)
    (slope,) = torch.autograd.grad(tokens.square().sum(), images, create_graph=True)
    weights = torch.autograd.grad(slope.square().sum(), list(stem.parameters()))
    return [tokens.detach(), slope.detach(), *weights]


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("shape", [(28, 28), (16, 24)])
def test_cutting_by_a_product_is_the_convolution(colours: int, shape: tuple[int, int]) -> None:
    with rng.initialization(0, "stem"):
        stem = PatchStem(colours, 4, 8).double()
        images = torch.randn(3, colours, *shape, dtype=torch.float64)
    by_product = _slopes(stem, images)
    stem.fine.__class__ = nn.Conv2d
    torch.testing.assert_close(by_product, _slopes(stem, images), rtol=1e-12, atol=1e-12)


def test_cutting_takes_the_product_in_float32_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = InputConvolution(1, 4, 4, stride=2, padding=1)
    images = torch.zeros(2, 1, 16, 16)

    def refuse(*_args: object, **_settings: object) -> None:
        raise AssertionError("the kernel library was called")

    monkeypatch.setattr(nn.Conv2d, "forward", refuse)
    assert layer(images).is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(AssertionError, match="library"):
        layer(images)
