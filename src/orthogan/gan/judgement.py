"""What a finished run is told of its images: usable, not realistic, collapsed, memorised."""

from __future__ import annotations

from dataclasses import replace

from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.evaluation import Evaluation, evaluate_images
from orthogan.evaluation.description import Report
from orthogan.networks import Generator
from orthogan.networks.sampling import sample_pixels

NUM_JUDGED = 1000  # images: fractions to within 3 %, in some seconds
FIRST_SEED = 10_000_000  # images that no live score has looked at
METRICS = ("precision", "recall", "coverage", "memorised", "repeated")


def judged(generator: Generator, images: ImageSet, report: Report | None) -> Evaluation | None:
    """The verdict on a generator by the images it was trained on; None where it cannot be had.

    Stacked digits are made afresh all the time, so that there is no set to compare with.

    Args:
        generator: What is judged.
        images: The training set.
        report: Is told how many images of how many are described.
    """
    if images.draws_afresh:
        return None
    fakes = sample_pixels(generator, range(FIRST_SEED, FIRST_SEED + NUM_JUDGED))
    labels = None if images.labels is None else images.labels.cpu()
    real = replace(images, images=images.images.cpu(), labels=labels)
    try:
        return evaluate_images(fakes, real, metrics=METRICS, report=report)
    except ConfigError:  # too few images
        return None
