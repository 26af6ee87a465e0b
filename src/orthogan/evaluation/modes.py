"""Which classes a generator reaches, and how far its class shares are from the wanted ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.rng import stream
from orthogan.shapes import Labels
from orthogan.statistics import Interval, centred_interval

PROTOCOL_SAMPLES = 26_000  # Stacked-MNIST: 26 for each of 1000 modes (Metz et al. 2016)
NUM_RESAMPLES = 1000
HALF_COUNT = 0.5  # added to data counts, so that a class the data lacks costs a finite amount


def class_counts(classes: Labels, num_classes: int) -> Tensor:
    """How many images fall in each class.

    Raises:
        ConfigError: there are no images.
    """
    if len(classes) == 0:
        raise ConfigError("A class histogram needs at least 1 image, got 0.")
    return torch.bincount(classes, minlength=num_classes)


def count_modes(counts: Tensor) -> float:
    """Classes with at least one image."""
    return float((counts > 0).sum())


def data_shares(counts: Tensor) -> Tensor:
    """Class probabilities of the data, none of them 0 (half a count is added to each)."""
    smoothed = counts.double() + HALF_COUNT
    return smoothed / smoothed.sum()


def uniform_shares(num_classes: int) -> Tensor:
    """The same probability for every class."""
    return torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)


def divergence(counts: Tensor, target: Tensor) -> float:
    """KL(p || target) in nats of the class shares p, as published for Stacked-MNIST.

    >>> round(divergence(torch.tensor([5, 0]), uniform_shares(2)), 6)
    0.693147
    """
    shares = counts.double() / counts.sum()
    return max(0.0, float((torch.xlogy(shares, shares) - torch.xlogy(shares, target)).sum()))


def corrected_divergence(counts: Tensor, target: Tensor) -> float:
    """KL(p || target) less the part that sampling alone adds; may fall just below 0.

    A plug-in entropy is too small by (classes seen - 1) / (2 n) to first order.

    Source: Miller 1955, "Note on the bias of information estimates".
    """
    return divergence(counts, target) - (count_modes(counts) - 1) / (2 * float(counts.sum()))


def histogram_interval(statistic: Callable[[Tensor], float], counts: Tensor, seed: int) -> Interval:
    """A 95 % interval of a statistic of class counts: the images are drawn with replacement."""
    n = int(counts.sum())
    shares = (counts.double() / n).numpy()
    draws = stream(seed, "histogram-interval").multinomial(n, shares, NUM_RESAMPLES)
    resampled = [statistic(row) for row in torch.from_numpy(draws)]
    return centred_interval(statistic(counts), resampled)
