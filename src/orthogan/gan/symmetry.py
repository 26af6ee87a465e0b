"""Are images as common as their mirror images?"""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data import ImageSet
from orthogan.evaluation.frechet import frechet_distance, moments
from orthogan.shapes import Features, Pixels

MOST_IMAGES = 4096  # looked at; a second on one core at 64 px
LEAST_IMAGES = 1024  # of fewer, chance alone moves what is measured by the limit
NUM_AXES = 32
# Photographs' patches reach .0005, icons .007, emoji .03, letters .11, digits .3 (docs/log.md).
MOST_APART = 0.005


def is_symmetric(images: ImageSet) -> bool:
    """Whether mirroring makes images that the set might hold as well.

    False where that cannot be told: of fewer than 1,024 images.
    """
    return len(images) >= LEAST_IMAGES and asymmetry(images) < MOST_APART


def asymmetry(images: ImageSet) -> float:
    """How far mirroring moves a set, as a fraction of the variance of its images.

    The Frechet distance of the first half, mirrored, from the second, less that of the halves as
    they are, along principal axes of their pixels. Both distances have the same bias by the number
    of images, so about 0 is left where mirroring changes nothing.
    """
    order = rng.permutation(len(images), 0, "symmetry", 0)[:MOST_IMAGES]
    sample = images.images[order.to(images.images.device)].cpu()
    axes = _axes(torch.cat([sample, sample.flip(3)]))
    first, second = sample.chunk(2)
    rest = moments(_flat(second) @ axes)
    mirrored, same = (
        frechet_distance(moments(_flat(part) @ axes), rest) for part in (first.flip(3), first)
    )
    variance = float(torch.trace(rest.covariance))
    return (mirrored - same) / variance if variance > 0 else 0.0


def _flat(pixels: Pixels) -> Features:
    return pixels.flatten(1).double() / 255


def _axes(pixels: Pixels) -> Tensor:
    """Principal axes, one a column, of pixels and their mirror images."""
    points = pixels.flatten(1).float() / 255
    with rng.initialization(0, "symmetry"):
        width = min(NUM_AXES, *points.shape)
        _, _, axes = torch.svd_lowrank(points - points.mean(0), q=width, niter=2)
    return axes.double()
