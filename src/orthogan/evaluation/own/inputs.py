"""Images as the network of a data set takes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.data.image_set import NUM_RGBA
from orthogan.evaluation.grey import to_grey
from orthogan.evaluation.own.network import SIDE
from orthogan.images.ground import laid_over
from orthogan.shapes import Pixels

GREY, RGB = 1, 3
GROUNDS = (255, 0)  # white and black, under transparent images


def num_channels(pixels: Pixels) -> int:
    """1 for grey images, 3 for all others."""
    return GREY if pixels.shape[1] == GREY else RGB


def as_input(pixels: Pixels, channels: int) -> Tensor:
    """Float images in [-1, 1], of the side and with the channels that the network takes.

    Raises:
        ShapeError: they have another number of channels than 1 or 3.
    """
    if channels == GREY:
        return 2 * to_grey(pixels, SIDE) - 1
    images = pixels.float().expand(-1, RGB, -1, -1) / 127.5 - 1
    if images.shape[2:] != (SIDE, SIDE):
        images = nn.functional.interpolate(
            images, size=(SIDE, SIDE), mode="bilinear", antialias=True
        )
    return images


def opaque(pixels: Pixels) -> Tensor:
    """Transparent images over white and over black in turns; others as they are."""
    if pixels.shape[1] != NUM_RGBA:
        return pixels
    wide = pixels.to(torch.int32)
    over = [laid_over(wide[:, :3], wide[:, 3:], ground).to(torch.uint8) for ground in GROUNDS]
    is_odd = (torch.arange(len(pixels)) % 2 == 1)[:, None, None, None]
    return torch.where(is_odd, over[1], over[0])
