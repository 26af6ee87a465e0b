from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from orthogan.data import ImageSet, to_floats, to_pixels
from orthogan.errors import ShapeError


def grey(num_images: int = 4, size: int = 16) -> ImageSet:
    images = torch.arange(num_images * size * size).to(torch.uint8)
    return ImageSet(images.reshape(num_images, 1, size, size), torch.arange(num_images))


def test_every_byte_survives_the_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    floats = to_floats(pixels)
    assert floats.dtype == torch.float32
    assert floats.min() == -1
    assert floats.max() == 1
    assert torch.equal(to_pixels(floats), pixels)


def test_to_pixels_rounds_clips_and_leaves_its_argument_alone() -> None:
    images = torch.tensor([-7.0, -1.0, 0.002, 1.0, 7.0]).reshape(1, 1, 1, 5)
    before = images.clone()
    assert to_pixels(images).flatten().tolist() == [0, 0, 128, 255, 255]
    assert torch.equal(images, before)
    assert to_pixels(images.to(torch.bfloat16)).dtype == torch.uint8


def test_properties() -> None:
    images = grey(5, 20)
    assert (len(images), images.num_images, images.colours, images.size) == (5, 5, 1, 20)
    index = torch.tensor([3, 1])
    assert torch.equal(images.floats(index), to_floats(images.images[index]))
    moved = images.to("meta")
    assert moved.images.is_meta
    assert moved.labels is not None
    assert moved.labels.is_meta
    assert replace(images, labels=None).to("meta").labels is None


def test_the_fingerprint_changes_with_pixels_labels_and_shape() -> None:
    images = grey()
    assert images.labels is not None
    changed = images.images.clone()
    changed[2, 0, 3, 3] += 1
    variants = [
        images,
        replace(images, images=changed),
        replace(images, labels=images.labels.flip(0)),
        replace(images, labels=None),
        ImageSet(images.images.reshape(1, 1, 32, 32)),
    ]
    prints = [variant.fingerprint() for variant in variants]
    assert len(set(prints)) == len(prints)
    assert all(len(digits) == 16 and int(digits, 16) >= 0 for digits in prints)
    assert grey().fingerprint() == prints[0]
    assert replace(images, name="other", notes=("x",)).fingerprint() == prints[0]


def test_the_fingerprint_does_not_depend_on_strides() -> None:
    images = grey().images
    turned = images.transpose(2, 3).contiguous().transpose(2, 3)
    assert ImageSet(turned).fingerprint() == ImageSet(images).fingerprint()


@pytest.mark.parametrize("shape", [(2, 1, 16, 20), (2, 2, 16, 16), (2, 5, 16, 16)])
def test_only_grey_rgb_or_rgba_squares(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="square with 1, 3 or 4 colours"):
        ImageSet(torch.zeros(shape, dtype=torch.uint8))


def test_labels_must_match() -> None:
    images = grey()
    object.__setattr__(images, "labels", torch.arange(3))  # the tests' type checker is stricter
    with pytest.raises(ShapeError, match="got 3 labels for 4 images"):
        images.__post_init__()
