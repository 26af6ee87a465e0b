"""Images as the network of a data set takes them."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.data.image_set import NUM_RGBA
from orthogan.evaluation.inputs import over_grounds, to_grey, to_rgb
from orthogan.evaluation.own.network import SIDE
from orthogan.shapes import Pixels

GREY, RGB = 1, 3


def num_channels(pixels: Pixels) -> int:
    """1 for grey images, 3 for all others."""
    return GREY if pixels.shape[1] == GREY else RGB


def as_input(pixels: Pixels, channels: int) -> Tensor:
    """Float images in [-1, 1], of the side and with the channels that the network takes.

    Raises:
        ShapeError: they have another number of channels than 1 or 3.
    """
    return 2 * to_grey(pixels, SIDE) - 1 if channels == GREY else to_rgb(pixels, SIDE)


def opaque(pixels: Pixels) -> Tensor:
    """Transparent images over white and over black in turns; others as they are."""
    if pixels.shape[1] != NUM_RGBA:
        return pixels
    white, black = over_grounds(pixels)
    is_odd = (torch.arange(len(pixels)) % 2 == 1)[:, None, None, None]
    return torch.where(is_odd, black, white)
