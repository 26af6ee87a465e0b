"""Small random changes that leave the class of an image as it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from orthogan.classification.config import DistortionConfig
from orthogan.shapes import Images

BEND_POINTS = 5  # a side of the grid that is displaced; finer ones tear strokes apart


def distort(images: Images, config: DistortionConfig, source: np.random.Generator) -> Images:
    """Each image turned, scaled, sheared, shifted and bent by its own random amounts.

    Differentiable in the images. What is moved in from outside repeats the border.

    Args:
        images: Any images; all colour planes of one move alike.
        config: Largest amounts.
        source: Where the draws come from.

    Source: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks",
    section 2, with a coarse random grid in place of the smoothed pixel noise.

    >>> still = torch.zeros(2, 1, 16, 16)
    >>> torch.equal(distort(still, DistortionConfig(), np.random.default_rng(0)), still)
    True
    """
    num_images, side = len(images), images.shape[-1]
    mirrored = torch.from_numpy(source.random(num_images) < 0.5).to(images.device)
    if config.mirror:
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    matrices = affine_maps(num_images, config, source).to(images)
    bends = torch.from_numpy(
        source.standard_normal((num_images, 2, BEND_POINTS, BEND_POINTS), dtype=np.float32)
    ).to(images)
    if config.strength == 0:
        return images
    shape = [num_images, images.shape[1], side, side]
    grid = functional.affine_grid(matrices, shape, align_corners=False)
    # Coordinates run from -1 to 1: a share of the side is twice as much of them.
    bent = functional.interpolate(
        2 * config.strength * config.bend * bends, size=side, mode="bicubic", align_corners=True
    )
    return functional.grid_sample(
        images, grid + bent.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )


def affine_maps(num: int, config: DistortionConfig, source: np.random.Generator) -> Tensor:
    """Random maps `B 2 3` from places in the distorted image to places in the original.

    >>> still = affine_maps(1, DistortionConfig(strength=0.0), np.random.default_rng(0))
    >>> torch.equal(still, torch.eye(2, 3)[None])
    True
    """
    draws = torch.from_numpy(source.uniform(-1, 1, (num, 6)).astype(np.float32))
    draws = draws * config.strength
    angle = draws[:, 0] * np.deg2rad(config.turn_deg)
    width, height = 1 + config.scale * draws[:, 1], 1 + config.scale * draws[:, 2]
    shear = config.shear * draws[:, 3]
    shift = 2 * config.shift * draws[:, 4:6]
    cosine, sine = angle.cos(), angle.sin()
    rows = [
        torch.stack([cosine * width, cosine * shear - sine * height, shift[:, 0]], dim=1),
        torch.stack([sine * width, sine * shear + cosine * height, shift[:, 1]], dim=1),
    ]
    return torch.stack(rows, dim=1)
