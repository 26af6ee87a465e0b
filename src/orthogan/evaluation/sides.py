"""Generated images against real ones, and real ones in their place: what is compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.data.image_set import NUM_RGBA
from orthogan.errors import ShapeError
from orthogan.evaluation.comparison import Comparison, Sample
from orthogan.evaluation.components import principal_components
from orthogan.evaluation.description import (
    Report,
    count_classes,
    describe_pixels,
    describe_set,
    is_by_channel,
    part_of,
)
from orthogan.evaluation.extractors import Extractor
from orthogan.evaluation.frechet import SAMPLES_PER_FEATURE
from orthogan.evaluation.modes import PROTOCOL_SAMPLES
from orthogan.evaluation.visibility import unseen_change
from orthogan.rng import permutation
from orthogan.shapes import Labels, Pixels

MOST_HELD_OUT = 2  # without a test split, at most every second real image is held out


@dataclass(frozen=True)
class Sides:
    """What is measured, and real images measured in its place.

    Attributes:
        ours: The generated images against the real ones.
        floor: Real images in the place of the generated ones.
        notes: What a reader must know of how they came about.
    """

    ours: Comparison
    floor: Comparison
    notes: tuple[str, ...]

    def labelled(self, labels: Labels | None) -> Sides:
        """The same, where the classes of the generated images are known."""
        return replace(self, ours=self.ours.labelled(labels))


def sides_of(
    fake: Pixels,
    real: ImageSet,
    held_out: ImageSet | None,
    net: Extractor,
    seed: int,
    report: Report | None,
) -> Sides:
    """Both sides as an extractor describes them.

    Args:
        fake: Generated images.
        real: What the generator was trained on.
        held_out: Real images it never saw; None: a random part of `real` gives the floors.
        net: The extractor.
        seed: Of the choice of that part.
        report: Is told how far describing is.
    """
    described = describe_pixels(fake, net, is_by_channel(real, net), report)
    candidate = Sample(fake, described.features, described.classes)
    reference = rest = _sample(real, net, report)
    unseen = None if held_out is None else _sample(held_out, net, report)
    if net.num_components is not None:
        components = principal_components(
            reference.features,
            _num_components(net, fake, reference, unseen),
            unseen_change(reference.pixels, reference.features, net),
        )
        candidate, reference = candidate.along(components), reference.along(components)
        rest, unseen = reference, None if unseen is None else unseen.along(components)
    is_split = unseen is None
    if unseen is None:
        count = min(len(fake), len(reference) // MOST_HELD_OUT)
        order = permutation(len(reference), seed, "held-out", 0)
        unseen, rest = reference.take(order[:count]), reference.take(order[count:])
    else:
        order = permutation(len(unseen), seed, "held-out", 0)
        unseen = unseen.take(order[: len(fake)])
    facts = (count_classes(real, net), seed, real.images.cpu(), is_split)
    notes = []
    if is_split:
        notes.append(
            f"No held-out images: floors compare {len(unseen)} real images "
            f"with the other {len(rest)}."
        )
    if len(reference) < len(real):
        notes.append(f"Of {len(real):,} real images, {len(reference):,} drawn at random are used.")
    return Sides(
        Comparison(candidate, reference, unseen, rest, *facts),
        Comparison(unseen, rest, unseen, rest, *facts),
        tuple(notes),
    )


def _num_components(net: Extractor, fake: Pixels, real: Sample, unseen: Sample | None) -> int:
    """As many as the smallest set that is compared can bear."""
    smallest = len(real) // MOST_HELD_OUT if unseen is None else min(len(real), len(unseen))
    most = net.num_components or net.num_features
    return max(1, min(most, min(smallest, len(fake)) // SAMPLES_PER_FEATURE))


def _sample(images: ImageSet, net: Extractor, report: Report | None) -> Sample:
    images = part_of(images, net)
    described = describe_set(images, net, report)
    labels = None if images.labels is None else images.labels.cpu()
    return Sample(images.images.cpu(), described.features, described.classes, labels)


def notes_on(real: ImageSet, sides: Sides, net: Extractor) -> list[str]:
    """What a reader must know of the images and the extractor to read the scores."""
    notes, n, n_floor = list(sides.notes), len(sides.ours.candidate), len(sides.floor.candidate)
    if n_floor < n:
        notes.append(
            f"Floors use {n_floor} real images, the scores {n}; distances grow as images get fewer."
        )
    if is_by_channel(real, net):
        if n < PROTOCOL_SAMPLES:
            notes.append(f"Published mode counts use {PROTOCOL_SAMPLES} images, this {n}.")
    elif real.colours > net.channels == 1:
        notes.append("The extractor sees the images in grey: no score notices their colours.")
    if real.colours == NUM_RGBA and net.channels != NUM_RGBA:
        notes.append("Transparent images were described over white and over black, and averaged.")
    if not net.knows(real):
        notes.append(
            f"The extractor knows {net.domain} only: compare scores with each "
            "other and with their floors, not with other data."
        )
    return notes


def check_shapes(fake: Tensor, real: ImageSet, held_out: ImageSet | None) -> None:
    """Nothing, if all images are bytes of one size and as many channels.

    Raises:
        ShapeError: they are not.
    """
    wanted = tuple(real.images.shape[1:])
    others = [("generated", fake)]
    if held_out is not None:
        others.append(("held-out", held_out.images))
    for kind, pixels in others:
        if tuple(pixels.shape[1:]) != wanted:
            raise ShapeError(
                f"The {kind} images are {tuple(pixels.shape[1:])} (colours, rows, columns), the "
                f"real ones {wanted}; they must agree."
            )
    if fake.dtype != torch.uint8:
        raise ShapeError(f"Images are compared as bytes (uint8), got {fake.dtype}.")
