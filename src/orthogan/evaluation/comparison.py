"""The two sides every metric compares, with what several metrics share computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from orthogan.evaluation.components import Components
from orthogan.evaluation.frechet import Moments, moments
from orthogan.evaluation.manifold import Overlap, left_out, overlap
from orthogan.evaluation.modes import class_counts
from orthogan.rng import permutation
from orthogan.shapes import Features, Labels, Pixels

MAX_OVERLAP_IMAGES = 10_000  # published counts; the work grows with the square


@dataclass(frozen=True)
class Sample:
    """Pictures and how the extractor describes them."""

    pixels: Pixels
    features: Features
    classes: Labels
    labels: Labels | None = None  # as the data has them; `classes` are the extractor's

    def __len__(self) -> int:
        return len(self.classes)

    def take(self, index: Tensor) -> Sample:
        """The pictures at `index`."""
        labels = None if self.labels is None else self.labels[index]
        return Sample(self.pixels[index], self.features[index], self.classes[index], labels)

    def along(self, components: Components) -> Sample:
        """The same pictures, described by components of their features."""
        return replace(self, features=components.project(self.features))

    @cached_property
    def moments(self) -> Moments:
        """Mean and covariance of the features."""
        return moments(self.features)


@dataclass(frozen=True)
class Comparison:
    """A candidate (generated, or real ones in their place) against a reference (real).

    Attributes:
        candidate: What is measured.
        reference: What it should look like.
        unseen: Real images that are not in `unseen_reference`.
        unseen_reference: What the unseen images are compared with, to calibrate.
        num_classes: Classes the extractor tells apart.
        seed: Of every random choice inside metrics.
        training: All training images, described or not: a copy may be of any of them. None: the
            reference.
        is_split: The unseen images were taken from the training set, for want of others.
    """

    candidate: Sample
    reference: Sample
    unseen: Sample
    unseen_reference: Sample
    num_classes: int
    seed: int
    training: Pixels | None = None
    is_split: bool = False

    def labelled(self, labels: Labels | None) -> Comparison:
        """The same, where the classes that the candidate's images are to be of are known."""
        return replace(self, candidate=replace(self.candidate, labels=labels))

    @cached_property
    def equally_many(self) -> tuple[Features, Features]:
        """Features of as many generated as real images: neighbourhoods shrink with their number."""
        n = min(len(self.candidate), len(self.reference), MAX_OVERLAP_IMAGES)
        chosen = permutation(len(self.reference), self.seed, "overlap-reference", 0)[:n]
        return self.candidate.features[:n], self.reference.features[chosen]

    @cached_property
    def overlap(self) -> Overlap:
        """Membership in the neighbourhoods of the other side, equally many images on both."""
        return overlap(*self.equally_many)

    @cached_property
    def left_out(self) -> float:
        """Fraction of real images that lie in the neighbourhoods of all other real ones."""
        return float(left_out(self.equally_many[1]).double().mean())

    @cached_property
    def counts(self) -> Tensor:
        """Images of the candidate in each class."""
        return class_counts(self.candidate.classes, self.num_classes)

    @cached_property
    def reference_counts(self) -> Tensor:
        """Images of the reference in each class."""
        return class_counts(self.reference.classes, self.num_classes)
