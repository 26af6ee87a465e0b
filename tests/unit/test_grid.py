"""The grid of images: places, gaps, enlargement, and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orthogan.errors import ShapeError
from orthogan.images.grid import grid
from orthogan.images.sheet import GAP_GREY, LARGEST_SCALE


def test_images_stand_row_by_row_with_gaps() -> None:
    pixels = torch.arange(3, dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 1, 200, 300)
    picture = np.asarray(grid(pixels, columns=2))
    assert picture.shape == (401, 601)
    assert (picture[0, 0], picture[0, 301], picture[201, 0]) == (0, 1, 2)
    assert picture[201, 301] == GAP_GREY
    assert set(picture[200].tolist()) == set(picture[:, 300].tolist()) == {GAP_GREY}


def test_small_images_are_enlarged_by_a_whole_factor() -> None:
    picture = grid(torch.randint(0, 255, (1, 3, 16, 16), dtype=torch.uint8))
    assert picture.size == (16 * LARGEST_SCALE, 16 * LARGEST_SCALE)
    assert picture.mode == "RGB"
    corner = np.asarray(picture)[:LARGEST_SCALE, :LARGEST_SCALE]
    assert len(np.unique(corner.reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize(("num_images", "columns"), [(1, 1), (2, 2), (5, 3), (64, 8), (65, 9)])
def test_the_grid_is_nearly_square(num_images: int, columns: int) -> None:
    pixels = torch.zeros(num_images, 1, 64, 64, dtype=torch.uint8)
    assert grid(pixels).size[0] % (columns * 65 - 1) == 0


def test_more_columns_than_images_leave_no_hole() -> None:
    assert grid(torch.zeros(2, 1, 300, 300, dtype=torch.uint8), columns=9).size == (601, 300)


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (4, 2, 8, 8)])
def test_what_cannot_be_drawn(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="at least one image of 1, 3 or 4 colours"):
        grid(torch.zeros(shape, dtype=torch.uint8))
