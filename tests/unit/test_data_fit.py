"""Pictures that are not square: cropped to the middle, or whole with padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogan.data import load
from orthogan.data.catalogue import LoadOptions
from orthogan.data.squares import pad_resize, squared
from orthogan.errors import ConfigError


def wide(ground: tuple[int, ...] | int, mark: tuple[int, ...] | int) -> np.ndarray:
    """32 x 64 pixels of one colour, with a mark near each end."""
    picture = np.empty((32, 64, *np.shape(ground)), np.uint8)
    picture[:] = ground
    picture[8:24, 4:12] = picture[8:24, 52:60] = mark
    return picture


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("ground", "mark"), [(200, 10), ((250, 128, 3), (0, 0, 255)), ((9, 9, 9, 255), (1, 2, 3, 255))]
)
def test_padding_keeps_all_of_a_picture(ground, mark, turned: bool) -> None:
    picture = wide(ground, mark)
    picture = picture.swapaxes(0, 1) if turned else picture
    padded = squared(picture, 32, "pad")
    padded = padded.swapaxes(0, 1) if turned else padded
    beside = (0, 0, 0, 0) if np.shape(ground) == (4,) else ground
    assert (padded[:8] == beside).all()
    assert (padded[24:] == beside).all()
    assert np.abs(padded[16, 4].astype(int) - np.array(mark)).max() <= 25
    assert np.abs(padded[16, 27].astype(int) - np.array(mark)).max() <= 25
    cropped = squared(picture, 32, "crop")
    assert (cropped == np.array(ground)).all()  # the marks are outside of the middle


def test_square_pictures_are_the_same_either_way() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert (squared(picture, 28, "pad") == squared(picture, 28, "crop")).all()


def test_a_line_is_still_a_pixel_wide() -> None:
    assert pad_resize(Image.new("L", (3000, 2), 7), 16).size == (16, 16)


def test_a_folder_is_padded_on_request_and_says_so(tmp_path: Path) -> None:
    for number in range(16):
        Image.fromarray(wide(200, number)).save(tmp_path / f"{number:02d}.png")
    cropped, padded = load(tmp_path), load(tmp_path, fit="pad")
    assert int(cropped.images.min()) > 150
    assert int(padded.images.min()) < 20
    assert cropped.notes[0] == (
        "Images were resized from 32 x 64 to 32 x 32 after a centred square crop."
    )
    assert padded.notes[0] == (
        "Images were resized from 32 x 64 to 32 x 32 whole, their shorter sides padded with the "
        "median colour of their edge (transparent where pictures are)."
    )
    assert load(tmp_path, fit="pad", size=64).images.shape[-1] == 64


def test_another_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="fit is 'crop' or 'pad', got 'stretch'"):
        LoadOptions(fit="stretch")
