"""Memorisation: how many fakes sit suspiciously close to one training image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orthogan.errors import ConfigError
from orthogan.evaluation.neighbours import nearest_distances
from orthogan.shapes import Features, Pixels
from orthogan.statistics import Interval, share_interval

CLOSE_SHARE = 0.01  # of unseen real images count as close, so this is the score of honesty
NUM_NEIGHBOURS = 50  # the scale of the neighbourhood (Carlini et al. 2023)
MIN_IMAGES = 100  # below, the 1 % quantile is the minimum
MAX_IMAGES = 5000  # gives a share of 1 % to within 0.3 %
THUMBNAIL_SIDE = 14  # blurs away pixel noise that hides a copy
NUM_COMPONENTS = 64
NUM_FITTED = 5000  # training images that the principal components are fitted to
CHUNK = 4096  # thumbnails made at a time: a float copy of a whole set would be large


@dataclass(frozen=True)
class Memorisation:
    """Fraction of fakes that are near-copies, and how near fakes are in general.

    Attributes:
        share: Fakes whose relative distance is among the closest 1 % of unseen images.
        interval: Its 95 % interval over the choice of fakes.
        nearness: Median relative distance of fakes over that of unseen images; 1 is honest.
        n: Fakes measured.
    """

    share: float
    interval: Interval
    nearness: float
    n: int


def memorisation(
    fake: Tensor, train: Tensor, unseen: Tensor, unseen_train: Tensor | None = None
) -> Memorisation:
    """Compares fakes with real images that training never saw.

    What is compared is the distance to the nearest training image over the distance to the
    50th: a copy has one neighbour much nearer than the rest, whether digits of its kind are
    all alike (ones) or not (eights). Distances are taken in pixels, because in classifier
    features all good images of a class are close: 14 x 14 thumbnails on the 64 first
    principal components of the training set. A shifted copy is not recognised.

    Args:
        fake: Generated pixels.
        train: Pixels of the training set.
        unseen: Real pixels that are not in `unseen_train`.
        unseen_train: What the unseen images are compared with; the training set by default.

    Raises:
        ConfigError: fewer than 100 fakes, unseen or training images.

    Source: three samples as in Meehan, Chaudhuri and Dasgupta 2020; the ratio of distances as
    in Carlini et al. 2023, "Extracting training data from diffusion models".
    """
    unseen_train = train if unseen_train is None else unseen_train
    _check_counts(fake, train, unseen, unseen_train)
    codes = thumbnails(train)
    centre, axes = _principal_axes(codes)
    codes = (codes - centre) @ axes
    other_codes = codes
    if unseen_train is not train:
        other_codes = (thumbnails(unseen_train) - centre) @ axes
    honest = _relative_distances((thumbnails(unseen[:MAX_IMAGES]) - centre) @ axes, other_codes)
    suspect = _relative_distances((thumbnails(fake[:MAX_IMAGES]) - centre) @ axes, codes)
    # At most, not below: the threshold is 0 where the real data repeats itself.
    share = float((suspect <= honest.quantile(CLOSE_SHARE)).double().mean())
    nearness = float(suspect.median() / honest.median().clamp_min(torch.finfo().tiny))
    n = len(suspect)
    return Memorisation(share, share_interval(share, n), nearness, n)


def thumbnails(pixels: Pixels) -> Features:
    """Each picture averaged to 14 x 14 and flattened, in [0, 1]."""
    shrink = nn.functional.adaptive_avg_pool2d
    parts = [
        shrink(pixels[start : start + CHUNK].float() / 255, THUMBNAIL_SIDE).flatten(1)
        for start in range(0, len(pixels), CHUNK)
    ]
    return torch.cat(parts)


def _relative_distances(left: Tensor, right: Tensor) -> Tensor:
    first, last = nearest_distances(left, right, NUM_NEIGHBOURS)
    # Where all fifty are the same picture, being one more of them shows no memory.
    return torch.where(last > 0, first / last, 1.0)


def _principal_axes(codes: Features) -> tuple[Tensor, Tensor]:
    # Evenly spread rows: sets are often sorted by class.
    fitted = codes[:: max(1, len(codes) // NUM_FITTED)]
    centre = fitted.mean(0)
    centred = fitted - centre
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors
    return centre, vectors[:, -NUM_COMPONENTS:]


def _check_counts(fake: Tensor, train: Tensor, unseen: Tensor, unseen_train: Tensor) -> None:
    counts = {
        "generated": len(fake),
        "unseen": len(unseen),
        "training": min(len(train), len(unseen_train)),
    }
    for kind, count in counts.items():
        if count < MIN_IMAGES:
            raise ConfigError(
                f"Memorisation needs at least {MIN_IMAGES} {kind} images, got {count}; use more."
            )
