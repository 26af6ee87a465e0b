"""Colour: brightness, saturation and contrast."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.shapes import Draws, Images

NUM_COLOURS = 3  # a fourth channel is transparency, and no colour


# Zhao et al. 2020, section 3.2, with the ranges of their published code.
@AUGMENTATIONS.register("colour", num_draws=3)
def colour(images: Images, draws: Draws) -> Images:
    """Brighter or darker by a quarter of the range, saturation 0 to 2, contrast 0.5 to 1.5."""
    brightness, saturation, contrast = draws[:, :, None, None, None].unbind(1)
    pixels, others = images[:, :NUM_COLOURS], images[:, NUM_COLOURS:]
    pixels = pixels + (brightness - 0.5)
    pixels = _scaled(pixels, 2 * saturation, (1,))
    pixels = _scaled(pixels, 0.5 + contrast, (1, 2, 3))
    return torch.cat([pixels, others], 1)


def _scaled(images: Images, factor: Tensor, dims: tuple[int, ...]) -> Images:
    """Distances from the mean over `dims`, times a factor."""
    mean = images.mean(dims, keepdim=True)
    return mean + factor * (images - mean)
