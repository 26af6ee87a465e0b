"""Images as an extractor of grey ones is given them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.errors import ShapeError
from orthogan.shapes import Pixels

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
