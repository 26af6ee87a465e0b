"""Between images and tokens: the quick forms give what the plain layers give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogan import rng
from orthogan.errors import ConfigError
from orthogan.gan.config import TrainingConfig
from orthogan.networks import DISCRIMINATORS, GENERATORS, NetworkConfig
from orthogan.networks.patches import ImageHead, InputConvolution, OutputConvolution, PatchStem


def _head(colours: int) -> ImageHead:
    with rng.initialization(0, "head"):
        return ImageHead(6, 5, colours, size=16).double()


def _by_library(features: torch.Tensor, layer: nn.ConvTranspose2d) -> torch.Tensor:
    return nn.ConvTranspose2d.forward(layer, features.permute(0, 3, 1, 2))


@pytest.mark.parametrize("colours", [1, 3, 4])
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


@pytest.mark.parametrize("colours", [1, 3, 4])
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


@pytest.mark.parametrize(("size", "patch"), [(16, 4), (28, 8), (36, 8), (100, 16), (128, 32)])
def test_images_of_any_size_are_the_middle_of_whole_tokens(size: int, patch: int) -> None:
    with rng.initialization(0, "head"):
        head = ImageHead(6, 5, 3, size, patch)
        stem = PatchStem(3, 5, 6, max(patch, 8))
    tokens = torch.randn(2, head.side**2, 6)
    image = head(tokens)
    assert image.shape == (2, 3, size, size)
    whole = ImageHead(6, 5, 3, head.side * patch, patch)
    whole.load_state_dict(head.state_dict())
    margin = (head.side * patch - size) // 2
    inside = slice(margin, margin + size)
    torch.testing.assert_close(image, whole(tokens)[:, :, inside, inside])
    assert stem(image).shape == (2, (-(-size // max(patch, 8))) ** 2, 6)


def test_every_pixel_is_seen_and_made_at_every_patch() -> None:
    for patch in (8, 16, 32):
        with rng.initialization(0, "stem"):
            stem = PatchStem(1, 8, 16, patch)
        image = torch.randn(1, 1, 100, 100, requires_grad=True)
        (slope,) = torch.autograd.grad(stem(image).square().sum(), image)
        assert bool((slope[0, 0] != 0).all()), patch


@pytest.mark.parametrize("kind", ["attention", "transformer", "conv"])
def test_patches_grow_with_the_images_unless_they_are_chosen(kind: str) -> None:
    make, judge = GENERATORS[kind](), DISCRIMINATORS[kind]()
    fine = 4 if kind == "conv" else 8
    sides = {}
    for size in (16, 28, 32, 36, 64, 96, 128):
        one, other = make.fitted(size, 3), judge.fitted(size, 3)
        assert (one.size, one.colours, other.size, other.colours) == (size, 3, size, 3)
        sides[size] = (one.patch, other.patch)
    assert {sides[size] for size in (16, 28, 32)} == {(4, fine)}
    assert {sides[size] for size in (36, 64)} == {(8, 8)}
    assert {sides[size] for size in (96, 128)} == {(16, 16)}
    assert make.evolve(patch=4).fitted(128, 1).patch == 4
    assert judge.evolve(patch=32).fitted(28, 1).patch == 32
    # Files of earlier versions say nothing of patches: theirs are the finest at any size.
    assert shapes_of(make.evolve(size=64)) == shapes_of(make.evolve(size=64, patch=4))
    assert shapes_of(judge.evolve(size=64)) == shapes_of(judge.evolve(size=64, patch=fine))


def shapes_of(config: NetworkConfig) -> dict[str, torch.Size]:
    return {name: part.shape for name, part in config.build().state_dict().items()}


def test_a_patch_that_no_network_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"patch"):
        GENERATORS["attention"](patch=6)
    with pytest.raises(ConfigError, match=r"patch"):
        DISCRIMINATORS["attention"](patch=4)


def test_a_recorded_run_of_an_earlier_version_has_the_finest_patches() -> None:
    run = TrainingConfig()
    recorded = run.to_dict()
    del recorded["generator"]["patch"], recorded["discriminator"]["patch"]
    completed = TrainingConfig.complete(recorded)
    assert (completed["generator"]["patch"], completed["discriminator"]["patch"]) == (4, 8)
    fitted = run.evolve(generator=run.generator.fitted(64, 3).to_dict()).to_dict()
    assert TrainingConfig.complete(fitted)["generator"]["patch"] == 8
