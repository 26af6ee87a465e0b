"""The directions of the latent space along which a generator's images change most."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from orthogan.inference_batches import INFERENCE_BATCH_SIZE
from orthogan.networks.network import Generator, normalise
from orthogan.rng import latents as latents_of
from orthogan.shapes import Features, Latents, OtherFeatures

STEP = 0.25  # standard deviations of a latent's coordinate, to either side
MOST_LATENTS = 32  # that changes are averaged over
MOST_IMAGES = 4096  # drawn for them, two a step


class PrincipalDirections(NamedTuple):
    """Directions in latents of unit mean square, the most important first.

    Attributes:
        directions: Orthonormal rows of the length of a latent.
        shares: How much of the images' mean squared change lies along each; of all, they sum to 1.
    """

    directions: Tensor
    shares: Tensor


@torch.inference_mode()
def principal_directions(generator: Generator, most: int = 8) -> PrincipalDirections:
    r"""The eigenvectors of $E[J^\top J]$, $J$ the derivative of the image after its latent.

    The mean is over latents as they are drawn, each with its class. Derivatives are central
    differences over a quarter of a standard deviation, and pixels count as they are shown, cut at
    black and white: a change that nobody sees is none.

    Args:
        generator: On a CPU, in evaluation mode.
        most: Directions to keep; no more than a latent is long.

    Source: Wang and Ponce 2021, "A geometric analysis of deep generative image models and its
    applications", section 3, with means over many latents. Not covered: directions with names,
    which need labels.
    """
    size = generator.config.latent_size
    return mean_directions(lambda latent: _changes(generator, latent), size, most)


def mean_directions(
    changes: Callable[[Latents], OtherFeatures],
    size: int,
    most: int = 8,
    *,
    most_images: int = MOST_IMAGES,
) -> PrincipalDirections:
    """The same of anything that makes images from latents.

    Args:
        changes: How its image changes with each coordinate of a latent, one row a coordinate; as
            `central_changes` finds it.
        size: Numbers of a latent.
        most: Directions to keep.
        most_images: That may be drawn for it; one latent takes twice `size`.
    """
    count = max(1, min(MOST_LATENTS, most_images // (2 * size)))
    gram = torch.zeros(size, size, dtype=torch.float64)
    for latent in latents_of(range(count), size):
        change = changes(latent[None]).double()
        gram += change @ change.T / count
    values, vectors = torch.linalg.eigh(gram)
    chosen = vectors.T.flip(0)[:most]
    # An eigenvector has no sign; the coordinate that weighs most is to be positive.
    largest = chosen.gather(1, chosen.abs().argmax(1, keepdim=True))
    shares = values.flip(0)[:most].clamp_min(0) / values.sum().clamp_min(1e-30)
    return PrincipalDirections((chosen * largest.sign()).float(), shares.float())


def central_changes(draw: Callable[[Latents], Features], start: Latents) -> OtherFeatures:
    """How an image changes with each coordinate of what it is drawn from: one row a coordinate.

    Args:
        draw: Images of latents, one a row and flat.
        start: One row.
    """
    steps = STEP * torch.eye(start.shape[1])
    moved = torch.cat([start + steps, start - steps])
    images = [draw(part) for part in moved.split(INFERENCE_BATCH_SIZE)]
    after, before = torch.cat(images).chunk(2)
    return (after - before) / (2 * STEP)


def _changes(generator: Generator, latent: Latents) -> Tensor:
    """Of a generator of ours: the image as it is shown, with the class of the latent."""
    start = normalise(latent)
    if generator.class_latents is not None:
        start = start + generator.class_latents(generator.classes_of(latent))
    return central_changes(lambda moved: generator.synthesise(moved).clamp(-1, 1).flatten(1), start)
