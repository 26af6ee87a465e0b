"""How much the pixels of each patch vary: within an image, and from image to image."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.shapes import Pixels


def patch_variance(pixels: Pixels, grid: tuple[int, int]) -> Tensor:
    """The variance of the pixels within each patch `B S`, row by row, summed over the channels.

    Args:
        pixels: Images.
        grid: Rows and columns of patches that share an image out equally.

    >>> patch_variance(torch.tensor([[[[0, 8, 5, 5]]]], dtype=torch.uint8), (1, 2)).tolist()
    [[16.0, 0.0]]
    """
    values = pixels.double().flatten(2)
    cell = _cells(pixels.shape[2], pixels.shape[3], grid)
    count = cell.bincount(minlength=grid[0] * grid[1]).clamp_min(1)
    mean = _summed(values, cell, len(count)) / count
    return _summed((values - mean[..., cell]).square(), cell, len(count)).div(count).sum(1)


def variance_between(pixels: Pixels, grid: tuple[int, int]) -> Tensor:
    """The variance over images of the pixels of each patch, summed over them: `S`.

    Args:
        pixels: At least two images.
        grid: Rows and columns of patches.
    """
    varied = pixels.double().var(dim=0).flatten(1)
    cell = _cells(pixels.shape[2], pixels.shape[3], grid)
    return _summed(varied, cell, grid[0] * grid[1]).sum(0)


def detail_lifts(received: Tensor, pixels: Pixels, grid: tuple[int, int]) -> list[float | None]:
    r"""The detail of what each head attends to, as a multiple of the images' mean detail.

    $\sum_{b,s} a_{bs} d_{bs} / \sum_{b,s} \bar a_b d_{bs}$ with the attention $a_{bs}$ that patch
    s of image b receives from all patches, its mean $\bar a_b$ over the patches, and the standard
    deviation $d_{bs}$ of the pixels in the patch. 1 where attention and detail have nothing to do
    with each other, and for even attention.

    Args:
        received: `B N S`, without sign.
        pixels: As many images.
        grid: Rows and columns of the S patches.

    Returns:
        One number a head; None where no image has any detail.
    """
    detail = patch_variance(pixels, grid).sqrt()[:, None]
    even = (received.mean(-1, keepdim=True) * detail).sum((0, 2))
    found = (received * detail).sum((0, 2))
    pairs = zip(found.tolist(), even.tolist(), strict=True)
    return [attended / usual if usual > 0 else None for attended, usual in pairs]


def _cells(height: int, width: int, grid: tuple[int, int]) -> Tensor:
    """The patch of each pixel, row by row."""
    rows = ((torch.arange(height) + 0.5) * grid[0] / height).long()
    cols = ((torch.arange(width) + 0.5) * grid[1] / width).long()
    return (rows[:, None] * grid[1] + cols[None]).flatten()


def _summed(values: Tensor, cell: Tensor, count: int) -> Tensor:
    """Sums over the pixels of each patch, along the last axis."""
    sums = values.new_zeros(*values.shape[:-1], count)
    return sums.index_add(-1, cell, values)
