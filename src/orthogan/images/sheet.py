"""Many small images as one picture to look at; no PyTorch here."""

from __future__ import annotations

import math

import numpy as np
from PIL import ExifTags, Image

from orthogan.errors import ShapeError
from orthogan.images.ground import over_checkerboard

GAP_PX = 1  # before enlarging
GAP_GREY = 96  # tells black images from the gap between them
TARGET_PX = 512  # narrower grids are enlarged by a whole factor, so that pixels stay square
LARGEST_SCALE = 8  # that is chosen; more can be asked for
GRID_COMMENT = "a grid of images, drawn by orthogan"


def sheet(images: np.ndarray, columns: int | None = None, scale: int | None = None) -> Image.Image:
    """One picture of all the images, row by row, grey or RGB; RGBA over a checkerboard.

    Args:
        images: At least one, bytes: image x row x column x colour (one, three or four).
        columns: Images in a row; None makes the grid nearly square.
        scale: How often each pixel is repeated; None: until the grid is some 512 px wide.

    Raises:
        ShapeError: there is no image, or the number of colours is none of these.

    >>> sheet(np.zeros((6, 28, 28, 1), dtype=np.uint8)).size
    (430, 285)
    >>> sheet(np.zeros((6, 28, 28, 4), dtype=np.uint8), scale=1).size
    (86, 57)
    """
    num_images, height, width, colours = images.shape
    if num_images == 0 or colours not in {1, 3, 4}:
        raise ShapeError(
            f"A grid needs at least one image of 1, 3 or 4 colours, got {num_images} of {colours}."
        )
    if colours == 4:
        images, colours = over_checkerboard(images), 3
    rows, columns = _layout(num_images, columns)
    cell_height, cell_width = height + GAP_PX, width + GAP_PX
    canvas = np.full((rows * cell_height, columns * cell_width, colours), GAP_GREY, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * cell_height, index % columns * cell_width
        canvas[top : top + height, left : left + width] = image
    canvas = canvas[:-GAP_PX, :-GAP_PX]
    enlarged = enlarge(canvas, scale or fitting_scale(canvas.shape[1]))
    picture = Image.fromarray(enlarged[:, :, 0] if colours == 1 else enlarged)
    picture.info["Comment"] = GRID_COMMENT
    return picture


def sheet_size(images: np.ndarray, scale: int | None = None) -> tuple[int, int]:
    """Width and height in pixels of the grid that `sheet` would draw.

    >>> sheet_size(np.zeros((6, 28, 28, 1), dtype=np.uint8))
    (430, 285)
    """
    num_images, height, width, _ = images.shape
    rows, columns = _layout(num_images, None)
    across, down = columns * (width + GAP_PX) - GAP_PX, rows * (height + GAP_PX) - GAP_PX
    factor = scale or fitting_scale(across)
    return across * factor, down * factor


def enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    """Each pixel of an image H x W x C as a square of `scale` x `scale` pixels."""
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def fitting_scale(width: int) -> int:
    """The whole factor that makes a grid of so many pixels comfortable to look at.

    >>> fitting_scale(86), fitting_scale(1031)
    (5, 1)
    """
    return max(1, min(LARGEST_SCALE, TARGET_PX // width))


def is_grid(picture: Image.Image) -> bool:
    """Whether `sheet` drew this picture: many images in one are no image to learn from."""
    if picture.info.get("Comment") == GRID_COMMENT:
        return True
    # JPEG and WebP files carry it as EXIF does; reading that costs a parse, so only where it is.
    return GRID_COMMENT.encode() in picture.info.get("exif", b"") and (
        picture.getexif().get(ExifTags.Base.ImageDescription) == GRID_COMMENT
    )


def _layout(num_images: int, columns: int | None) -> tuple[int, int]:
    """Rows and columns of a grid of so many images."""
    columns = min(columns or math.ceil(math.sqrt(num_images)), num_images)
    return math.ceil(num_images / columns), columns
