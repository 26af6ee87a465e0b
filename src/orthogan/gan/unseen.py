"""Images of the same source that training does not show: what its course is judged by."""

from __future__ import annotations

from dataclasses import replace

from orthogan import data as image_data
from orthogan import rng
from orthogan.data import ImageSet
from orthogan.data.inspection import inspections
from orthogan.errors import ConfigError, OrthoganError
from orthogan.gan.config import TrainingConfig

# Enough for distances on some hundred features, and described in two seconds at most.
MOST_UNSEEN = 2048
# A Frechet distance on 64 features needs as many; of small sets a sixteenth would be fewer.
LEAST_UNSEEN = 128
IMAGES_A_KEPT_BACK = 16


def unseen_images(config: TrainingConfig, images: ImageSet) -> ImageSet | None:
    """Part of the held-out images of a run's source; None where it has none that fit.

    Args:
        config: The run.
        images: What it trains on, whose size and colours the others must have.
    """
    if images.draws_afresh:  # no image comes twice: all that is measured is on unseen ones
        return None
    try:
        with inspections():  # what is said of the data is said of those that are trained on
            found = image_data.load(config.data.source, split="test", **config.data.form())
    except OrthoganError:  # what is amiss with them does not end a training
        return None
    if not len(found) or found.images.shape[1:] != images.images.shape[1:]:
        return None
    chosen = rng.permutation(len(found), 0, "unseen", 0)[:MOST_UNSEEN].sort().values
    labels = None if found.labels is None else found.labels[chosen]
    return replace(found, images=found.images[chosen], labels=labels)


def num_kept_back(config: TrainingConfig, images: ImageSet) -> int:
    """How many images a run until converged takes from training, whose source has no others.

    Raises:
        ConfigError: there are too few to take as many as a distance needs.
    """
    if config.until != "converged" or images.draws_afresh:
        return 0
    wanted = min(max(images.num_images // IMAGES_A_KEPT_BACK, LEAST_UNSEEN), MOST_UNSEEN)
    if 4 * wanted > images.num_images:
        raise ConfigError(
            f"Whether a run has converged is measured on {LEAST_UNSEEN} images or more that it is "
            f"not trained on, a quarter of the set at most; {images.name} has "
            f"{images.num_images:,}. Leave out --until."
        )
    return wanted
