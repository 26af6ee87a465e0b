"""Flip: left and right exchanged."""

from __future__ import annotations

import torch

from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.shapes import Draws, Images


@AUGMENTATIONS.register("flip", num_draws=1, mirrors=True)
def flip(images: Images, draws: Draws) -> Images:
    """Every second image mirrored, left to right."""
    is_mirrored = (draws[:, 0] < 0.5)[:, None, None, None]
    return torch.where(is_mirrored, images.flip(3), images)
