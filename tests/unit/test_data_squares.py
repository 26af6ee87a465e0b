from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import LoadOptions
from orthogan.data.squares import crop_resize, is_grey, square_size
from orthogan.errors import ConfigError

NOISE = np.random.default_rng(0).integers(0, 256, (6, 40, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("shapes", "size", "expected"),
    [
        ({(28, 28)}, None, 28),
        ({(16, 16)}, None, 16),
        ({(64, 64)}, None, 64),
        ({(30, 30)}, None, 32),
        ({(61, 61)}, None, 64),
        ({(65, 65)}, None, 32),
        ({(8, 8)}, None, 32),
        ({(28, 32)}, None, 32),
        ({(28, 28), (64, 64)}, None, 32),
        ({(28, 28)}, 48, 48),
        ({(128, 128)}, None, 32),
        ({(128, 128)}, 128, 128),
    ],
)
def test_the_common_size(shapes: set[tuple[int, int]], size: int | None, expected: int) -> None:
    assert square_size(shapes, size) == expected


@pytest.mark.parametrize("size", [12, 15, 30, 65, 132, 0, -4])
def test_impossible_sizes(size: int) -> None:
    with pytest.raises(ConfigError, match=f"multiple of 4 from 16 to 128, got {size}"):
        LoadOptions(size=size)


def test_impossible_colours_and_splits() -> None:
    with pytest.raises(ConfigError, match="'auto', 'grey', 'rgb' or 'rgba', got 'gray'"):
        LoadOptions(colour="gray")
    with pytest.raises(ConfigError, match="'train' or 'test', got 'valid'"):
        LoadOptions(split="valid")


def test_the_crop_is_centred() -> None:
    array = np.zeros((20, 60), np.uint8)
    array[:, 20:40] = 255
    assert (np.asarray(crop_resize(Image.fromarray(array), 20)) == 255).all()
    assert (np.asarray(crop_resize(Image.fromarray(array.T.copy()), 20)) == 255).all()


def test_resizing_keeps_the_mean() -> None:
    images, _ = assemble(NOISE[:, :30], LoadOptions(size=16))
    assert images.shape == (6, 3, 16, 16)
    assert float(images.float().mean()) == pytest.approx(float(NOISE[:, :30].mean()), abs=2)


def test_the_right_size_is_left_alone() -> None:
    images, notes = assemble(NOISE[:, :28, :28], LoadOptions())
    assert torch.equal(images, torch.from_numpy(NOISE[:, :28, :28]).permute(0, 3, 1, 2))
    assert notes == []


def test_every_change_is_noted() -> None:
    _, notes = assemble(NOISE, LoadOptions(size=16))
    assert notes == ["Images were resized from 40 x 30 to 16 x 16 after a centred square crop."]
    mixed = [NOISE[0, :30], NOISE[1, :20, :20]]
    assert assemble(mixed, LoadOptions())[1] == [
        "Images were resized from 2 different shapes to 32 x 32."
    ]


def test_grey_only_if_every_image_is() -> None:
    flat = NOISE[0, :28, :28, 0]
    same = flat[..., None].repeat(3, 2)
    assert is_grey(flat)
    assert is_grey(same)
    assert not is_grey(NOISE[0])
    assert assemble([flat, same], LoadOptions())[0].shape == (2, 1, 28, 28)
    images, notes = assemble([flat, NOISE[0, :28, :28]], LoadOptions())
    assert images.shape == (2, 3, 28, 28)
    assert torch.equal(images[0, 2], torch.from_numpy(flat))
    assert notes == []
    grey, notes = assemble([flat, NOISE[0, :28, :28]], LoadOptions(colour="grey"))
    assert grey.shape == (2, 1, 28, 28)
    assert notes == ["RGB images were turned to grey (Rec. 601 luminance)."]
