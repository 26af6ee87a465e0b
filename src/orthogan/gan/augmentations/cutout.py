"""Cutout: a square of each image hidden."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.shapes import Draws, Images

SIDE = 1 / 2  # of the image (Zhao et al. 2020, section 3.2)


# DeVries and Taylor 2017.
@AUGMENTATIONS.register("cutout", num_draws=2)
def cutout(images: Images, draws: Draws) -> Images:
    """A square of half the side, anywhere, becomes gray; its centre may lie at the border."""
    height, width = images.shape[2:]
    rows = _is_hidden(draws[:, 0], height)[:, None, :, None]
    cols = _is_hidden(draws[:, 1], width)[:, None, None, :]
    return images.masked_fill(rows & cols, 0.0)


def _is_hidden(draws: Tensor, size: int) -> Tensor:
    """For each image, which of `size` places lie in a stretch around a drawn one."""
    places, half = torch.arange(size, device=draws.device), SIDE * size / 2
    return (places + 0.5 - (draws * size)[:, None]).abs() < half
