"""Many small images as one picture to look at; no PyTorch here."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from orthogan.errors import ShapeError

GAP_PX = 1  # before enlarging
GAP_GREY = 96  # tells black images from the gap between them
TARGET_PX = 512  # narrower grids are enlarged by a whole factor, so that pixels stay square
LARGEST_SCALE = 8
GRID_COMMENT = "a grid of images, drawn by orthogan"


def sheet(images: np.ndarray, columns: int | None = None) -> Image.Image:
    """One picture of all the images, row by row, grey or RGB.

    Args:
        images: At least one, bytes: image x row x column x colour (one or three).
        columns: Images in a row; None makes the grid nearly square.

    Raises:
        ShapeError: there is no image, or the number of colours is neither one nor three.

    >>> sheet(np.zeros((6, 28, 28, 1), dtype=np.uint8)).size
    (430, 285)
    """
    num_images, height, width, colours = images.shape
    if num_images == 0 or colours not in {1, 3}:
        raise ShapeError(
            f"A grid needs at least one image of 1 or 3 colours, got {num_images} of {colours}."
        )
    columns = min(columns or math.ceil(math.sqrt(num_images)), num_images)
    rows = math.ceil(num_images / columns)
    cell_height, cell_width = height + GAP_PX, width + GAP_PX
    canvas = np.full((rows * cell_height, columns * cell_width, colours), GAP_GREY, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * cell_height, index % columns * cell_width
        canvas[top : top + height, left : left + width] = image
    canvas = canvas[:-GAP_PX, :-GAP_PX]
    scale = max(1, min(LARGEST_SCALE, TARGET_PX // canvas.shape[1]))
    canvas = canvas.repeat(scale, axis=0).repeat(scale, axis=1)
    picture = Image.fromarray(canvas[:, :, 0] if colours == 1 else canvas)
    picture.info["Comment"] = GRID_COMMENT
    return picture


def is_grid(picture: Image.Image) -> bool:
    """Whether `sheet` drew this picture: many images in one are no image to learn from."""
    return picture.info.get("Comment") == GRID_COMMENT


def png(picture: Image.Image) -> bytes:
    """The picture as the content of a PNG file."""
    content = io.BytesIO()
    comments = PngInfo()
    if is_grid(picture):
        comments.add_text("Comment", GRID_COMMENT)
    picture.save(content, format="PNG", pnginfo=comments)
    return content.getvalue()
