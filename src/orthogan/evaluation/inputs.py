"""Pixels as extractors are given them: grey or RGB, of one side, transparent ones over grounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from orthogan.errors import ShapeError
from orthogan.images.ground import laid_over
from orthogan.shapes import Pixels

GROUNDS = (255, 0)  # white and black, under transparent images
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue look


def to_grey(pixels: Pixels, side: int) -> Tensor:
    """One-channel float images in [0, 1] of `side` x `side`; RGB by luma, resized if needed.

    Raises:
        ShapeError: the images have neither one nor three channels.
    """
    num_channels = pixels.shape[1]
    if num_channels not in {1, 3}:
        raise ShapeError(f"Pictures have 1 or 3 channels (axis 1), got {num_channels}.")
    images = pixels.float() / 255
    if num_channels == len(LUMA):
        images = (images * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if images.shape[2:] != (side, side):
        images = nn.functional.interpolate(
            images, size=(side, side), mode="bilinear", antialias=True
        )
    return images


def to_rgb(pixels: Pixels, side: int) -> Tensor:
    """RGB float images in [-1, 1] of `side` x `side`.

    Raises:
        ShapeError: the images have neither one nor three channels.
    """
    if pixels.shape[1] not in {1, 3}:
        raise ShapeError(f"Pictures have 1 or 3 channels (axis 1), got {pixels.shape[1]}.")
    images = pixels.float().expand(-1, 3, -1, -1) / 127.5 - 1
    if images.shape[2:] != (side, side):
        images = nn.functional.interpolate(
            images, size=(side, side), mode="bilinear", antialias=True
        )
    return images


def over_grounds(pixels: Pixels) -> list[Tensor]:
    """Transparent images over white, and over black.

    Args:
        pixels: RGBA.
    """
    wide = pixels.to(torch.int32)
    return [laid_over(wide[:, :3], wide[:, 3:], each).to(torch.uint8) for each in GROUNDS]


def full_batches(
    pixels: Pixels, size: int, convert: Callable[[Tensor], Tensor]
) -> Iterator[tuple[slice, Tensor]]:
    """Which images, and these as a network takes them, followed by zeros up to `size`.

    Small batches take other kernels, which round otherwise. In full ones an image has the same
    features wherever it stands, and copies lie at distance 0.

    Args:
        pixels: All images.
        size: Images of a batch.
        convert: Pixels to what the network takes.
    """
    for start in range(0, len(pixels), size):
        part = slice(start, min(start + size, len(pixels)))
        images = convert(pixels[part])
        full = torch.zeros(size, *images.shape[1:])
        full[: len(images)] = images
        yield part, full.contiguous(memory_format=torch.channels_last)
