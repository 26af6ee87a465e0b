"""Stacked digits: RGB images whose three planes are digits drawn independently."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data.image_set import ImageSet
from orthogan.data.order import Order, Triples
from orthogan.errors import DataError
from orthogan.shapes import Labels, Pixels

PLACES = (100, 10, 1)  # the class of a triple is its digits read as one number
NUM_CLASSES = 1000


@dataclass(frozen=True)
class StackedImages(ImageSet):
    """Triples in memory, to compare with, and the digits to draw endlessly many more from.

    A training run sees the distribution of the triples: a set of 60,000 has about 60 of each
    class, give or take 8, and a generator that learns those shares instead is measurably further
    from uniform (0.008 nats).

    Attributes:
        digits: The grey images, with labels 0..9, that the planes are drawn from.
    """

    digits: ImageSet = field(kw_only=True)

    draws_afresh: ClassVar[bool] = True

    def order(self, seed: int) -> Order:
        """Fresh triples without end, drawn independently from the seed."""
        return Triples(len(self.digits), seed)

    def take(self, index: Tensor) -> tuple[Pixels, Labels | None]:
        """The triples of digits `B 3` as images with their classes.

        An index of one axis means the triples in memory.
        """
        if index.dim() == 1:
            return super().take(index)
        images, labels = _triples(self.digits, index)
        return images, labels

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set with its tensors on `device`."""
        moved = super().to(device)
        digits = self.digits.to(device)
        return replace(self, images=moved.images, labels=moved.labels, digits=digits)


def stack(digits: ImageSet, num_images: int | None = None, seed: int = 0) -> StackedImages:
    """RGB images of three digits drawn independently with replacement.

    Args:
        digits: Grey digits with labels 0..9.
        num_images: How many triples; as many as there are digits if None.
        seed: Which triples: image i is the same for any `num_images`.

    Returns:
        Images with label 100 r + 10 g + b, held in memory.

    Raises:
        DataError: the digits are not grey or have no ten classes.

    Source: Metz et al. 2016, "Unrolled generative adversarial networks".
    """
    if digits.labels is None or digits.colours != 1 or len(digits.class_names) != 10:
        raise DataError(f"{digits.name}: stacking needs grey images of ten labelled classes.")
    count = len(digits) if num_images is None else num_images
    draws = rng.stream(seed, "stacked-mnist").integers(0, len(digits), (count, 3))
    images, labels = _triples(digits, torch.from_numpy(draws))
    names = tuple(f"{number:03d}" for number in range(NUM_CLASSES))
    return StackedImages(
        images, labels, names, "stacked-mnist", digits.notes, digits.split, digits=digits
    )


def _triples(digits: ImageSet, index: Tensor) -> tuple[Pixels, Labels]:
    assert digits.labels is not None  # noqa: S101 - `stack` has checked
    # One multiplication a plane, not by a tensor: making one would wait for the device.
    planes = digits.labels[index].unbind(1)
    labels = sum(
        (place * plane for place, plane in zip(PLACES, planes, strict=True)),
        start=torch.zeros_like(planes[0]),
    )
    return digits.images[index, 0], labels
