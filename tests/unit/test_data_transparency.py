"""Transparent pictures: kept as a fourth channel, or laid over a ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import orthogan
from orthogan.data import load, to_floats, to_pixels
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.images.ground import laid_over

RANDOM = np.random.default_rng(0)


def icons(count: int = 20, size: int = 16) -> np.ndarray:
    """Discs of one colour each, with noise where nothing shows and a rim of half opacity."""
    rows, cols = np.mgrid[:size, :size] - (size - 1) / 2
    distance = np.hypot(rows, cols)
    made = RANDOM.integers(0, 256, (count, size, size, 4), dtype=np.uint8)
    for image in made:
        shown = distance < size / 3
        image[shown, :3] = RANDOM.integers(0, 256, 3)
        image[..., 3] = np.where(distance < size / 3 - 1, 255, np.where(shown, 128, 0))
    return made


def write(folder: Path, images: np.ndarray, end: str = "png") -> Path:
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}.{end}", lossless=True, exact=True)
    return folder


@pytest.mark.parametrize("end", ["png", "webp", "tif"])
def test_opacity_is_a_fourth_channel_on_request(tmp_path: Path, end: str) -> None:
    made = icons()
    found = load(write(tmp_path / "icons", made, end), colour="rgba")
    assert (found.colours, found.size) == (4, 16)
    given = torch.from_numpy(made).permute(0, 3, 1, 2)
    assert torch.equal(found.images[:, 3], given[:, 3])
    shows = (given[:, 3:] > 0).expand(-1, 3, -1, -1)
    assert torch.equal(found.images[:, :3][shows], given[:, :3][shows])
    assert int(found.images[:, :3][~shows].max()) == 0
    assert found.notes == (
        (
            "20 of 20 images are transparent: opacity is their fourth channel, and colours that "
            "nothing shows of are black."
        ),
    )


def test_without_it_a_ground_is_chosen_and_the_way_out_is_said(tmp_path: Path) -> None:
    found = load(write(tmp_path / "icons", icons()))
    assert found.colours == 3
    assert "20 of 20 images: transparent, laid over" in found.notes[0]
    assert "--colour rgba keeps transparency" in found.notes[0]


@pytest.mark.parametrize("form", ["array", "first", "tensor", "items", "pillow", "npz"])
def test_arrays_and_items_have_opacity_too(tmp_path: Path, form: str) -> None:
    made = icons()
    if form == "npz":
        np.savez(tmp_path / "a.npz", images=made)
    source = {
        "array": made,
        "first": made.transpose(0, 3, 1, 2),
        "tensor": torch.from_numpy(made),
        "items": list(made),
        "pillow": [Image.fromarray(each) for each in made],
        "npz": tmp_path / "a.npz",
    }[form]
    wanted = load(write(tmp_path / "icons", made), colour="rgba").images
    assert torch.equal(orthogan.load_data(source, colour="rgba").images, wanted)
    flat = orthogan.load_data(source)
    assert torch.equal(flat.images, load(tmp_path / "icons").images)
    assert "transparent, laid over" in " ".join(flat.notes)


def test_opaque_pictures_need_no_fourth_channel(tmp_path: Path) -> None:
    found = load(write(tmp_path / "photos", icons()[..., :3]), colour="rgba")
    assert (found.colours, int(found.images[:, 3].min())) == (4, 255)
    assert found.notes == (
        "No image is transparent, so the fourth channel says nothing; --colour rgb does without.",
    )


def test_what_nothing_shows_of_does_not_bleed_into_smaller_pictures(tmp_path: Path) -> None:
    made = icons(size=64)
    made[..., :3] = np.where(made[..., 3:] > 0, (255, 0, 0), (0, 255, 0))
    found = load(write(tmp_path / "icons", made), size=16, colour="rgba").images
    assert int(found[:, 1].max()) == 0
    shows = found[:, 3] > 0
    assert int(found[:, 0][shows].min()) > 240


def test_networks_meet_colours_times_opacity_and_files_do_not() -> None:
    pixels = torch.randint(0, 256, (3, 4, 8, 8), dtype=torch.uint8)
    pixels[0, 3], pixels[1, 3] = 0, 255
    pixels[:, :3] *= pixels[:, 3:] > 0
    floats = to_floats(pixels)
    assert torch.equal(to_pixels(floats), pixels)
    opacity = pixels[:, 3:].float() / 255
    torch.testing.assert_close(floats[:, :3], pixels[:, :3] / 255 * opacity * 2 - 1)
    torch.testing.assert_close(floats[:, 3:], 2 * opacity - 1)
    wild = torch.tensor([3.0, -3.0, 0.0, -1.0]).reshape(1, 4, 1, 1)  # made up by a generator
    assert to_pixels(wild).flatten().tolist() == [0, 0, 0, 0]
    wild[0, 3] = 0.0
    assert to_pixels(wild).flatten().tolist() == [255, 0, 254, 128]


def test_sets_of_two_channels_and_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="1, 3 or 4 colours, got 2 colours"):
        orthogan.data.ImageSet(torch.zeros(4, 2, 16, 16, dtype=torch.uint8))
    with pytest.raises(DataError, match="with 1, 3 or 4 colours, got 20 x 16 x 16 x 2"):
        orthogan.load_data(np.zeros((20, 16, 16, 2), np.uint8))


def test_laying_over_rounds_to_the_nearest() -> None:
    colour, opacity = torch.arange(256, dtype=torch.int32), torch.tensor(100, dtype=torch.int32)
    exact = colour * (100 / 255) + 200 * (155 / 255)
    assert (laid_over(colour, opacity, 200) - exact).abs().max() <= 0.5


def test_digits_have_no_opacity() -> None:
    digits = load("mnist", split="test", colour="rgba")
    assert digits.images.shape == (10_000, 4, 28, 28)
    assert "No image is transparent" in digits.notes[0]
    with pytest.raises(ConfigError, match="stacked-mnist are digits, and none is opacity"):
        load("stacked-mnist", colour="rgba")
