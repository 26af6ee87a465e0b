"""Many small images as one picture to look at."""

from __future__ import annotations

from PIL import Image

from orthogan.images.sheet import sheet
from orthogan.shapes import Pixels


def grid(pixels: Pixels, columns: int | None = None, scale: int | None = None) -> Image.Image:
    """One picture of all the images, row by row, grey or RGB; RGBA over a checkerboard.

    Args:
        pixels: At least one image of one, three or four colours.
        columns: Images in a row; None makes the grid nearly square.
        scale: How often each pixel is repeated; None: until the grid is some 512 px wide.

    Raises:
        ShapeError: there is no image, or the number of colours is none of these.

    >>> import torch
    >>> grid(torch.zeros(6, 1, 28, 28, dtype=torch.uint8)).size
    (430, 285)
    """
    return sheet(pixels.permute(0, 2, 3, 1).cpu().numpy(), columns, scale)
