"""Random views of an image: cut out, moved and a little turned, its colours left alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from orthogan.shapes import Images

LEAST_SIDE = 0.6  # of the image's side that a view shows
MOST_TURN_RAD = 0.15
MOST_STRETCH = 0.1  # of one side against the other


def views(images: Images, source: np.random.Generator) -> Images:
    """One view of each image, as large as the image.

    Colour, brightness, sharpness and noise stay as they are: what views do not share, training
    makes a network blind to, and a judge of images must see all of these. Nothing is mirrored, as
    a mirrored letter is no letter.

    Args:
        images: Images in [-1, 1].
        source: Where the draws come from.

    Source: Chen, Kornblith, Norouzi and Hinton 2020, "A simple framework for contrastive learning
    of visual representations", section 3, the cropping alone.
    """
    draws = torch.from_numpy(source.random((len(images), 5), dtype=np.float32)).to(images.device)
    side = LEAST_SIDE + (1 - LEAST_SIDE) * draws[:, 0]
    angle = MOST_TURN_RAD * (2 * draws[:, 1] - 1)
    stretch = 1 + MOST_STRETCH * (2 * draws[:, 2] - 1)
    shift = (2 * draws[:, 3:] - 1) * (1 - side)[:, None]
    grid = functional.affine_grid(
        _maps(side * stretch, side / stretch, angle, shift), list(images.shape), False
    )
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _maps(width: Tensor, height: Tensor, angle: Tensor, shift: Tensor) -> Tensor:
    """Maps `B 2 3` from places in the view to places in the image."""
    cosine, sine = angle.cos(), angle.sin()
    rows = [
        torch.stack([cosine * width, -sine * height, shift[:, 0]], 1),
        torch.stack([sine * width, cosine * height, shift[:, 1]], 1),
    ]
    return torch.stack(rows, 1)
