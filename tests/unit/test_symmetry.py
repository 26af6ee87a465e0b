"""Whether mirrored images are as common as the others."""

from __future__ import annotations

import pytest
import torch

from orthogan.data import ImageSet, load, to_pixels
from orthogan.gan.symmetry import LEAST_IMAGES, MOST_APART, asymmetry, is_symmetric
from orthogan.rng import normal, stream


def blobs(count: int, shift: float, channels: int = 3) -> ImageSet:
    """Soft blobs at random places around one that lies `shift` right of the middle."""
    axis = torch.linspace(-1, 1, 16)
    centres = 0.4 * normal((count, 2), stream(0, "blobs"))
    rows = (axis[None, :, None] - centres[:, 0, None, None]).square()
    cols = (axis[None, None, :] - centres[:, 1, None, None] - shift).square()
    pixels = to_pixels((2 * torch.exp(-8 * (rows + cols)) - 1)[:, None])
    return ImageSet(pixels.repeat(1, channels, 1, 1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [LEAST_IMAGES, 4000])
def test_sets_with_and_without_a_side(count: int, channels: int) -> None:
    assert is_symmetric(blobs(count, 0.0, channels))
    assert not is_symmetric(blobs(count, 0.3, channels))
    assert asymmetry(blobs(count, 0.3, channels)) > 4 * MOST_APART


def test_digits_have_a_side_and_digits_half_of_them_mirrored_have_none() -> None:
    digits = load("mnist")
    assert asymmetry(digits) > 0.2
    images = digits.images[:4000].clone()
    is_mirrored = torch.from_numpy(stream(0, "mirrored").random(4000)) < 0.5
    images[is_mirrored] = images[is_mirrored].flip(3)
    assert is_symmetric(ImageSet(images))


def test_of_few_images_nothing_is_said() -> None:
    assert not is_symmetric(blobs(LEAST_IMAGES - 1, 0.0))


def test_images_all_alike_are_symmetric() -> None:
    assert asymmetry(ImageSet(torch.zeros(600, 1, 16, 16, dtype=torch.uint8))) == 0


def test_it_is_the_same_each_time() -> None:
    assert asymmetry(blobs(600, 0.1)) == asymmetry(blobs(600, 0.1)) != 0
