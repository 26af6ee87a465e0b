"""A score cheap enough to watch during training."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orthogan.data import ImageSet
from orthogan.errors import ConfigError, ShapeError
from orthogan.evaluation.choice import DEFAULT_EXTRACTOR, extractor_for
from orthogan.evaluation.components import principal_components
from orthogan.evaluation.description import (
    Description,
    Report,
    count_classes,
    describe_pixels,
    describe_set,
    is_by_channel,
    part_of,
)
from orthogan.evaluation.extractors import Extractor, compared_width
from orthogan.evaluation.frechet import (
    SAMPLES_PER_FEATURE,
    Moments,
    frechet_distance,
    moments,
)
from orthogan.evaluation.modes import class_counts, count_modes, divergence, uniform_shares
from orthogan.evaluation.visibility import unseen_change
from orthogan.rng import permutation
from orthogan.shapes import Features, OtherFeatures, Pixels

NUM_FAKES = 2048  # 32 for each of 64 features; 0.15 s on one core; more for many features
# Of a large network, whose components are compared: a second or two on one core.
NUM_SLOW_FAKES, NUM_SLOW_REAL = 512, 4096
# 10 for each of 1000 classes: a generator with all of them misses one in 22 readings.
NUM_STACKED_FAKES = 10_000


@dataclass(frozen=True)
class Reading:
    """What a live score measures of `num_fakes` images.

    Attributes:
        distance: Frechet distance.
        class_shares: Fraction of the images in each class; empty without classes.
        modes: Classes reached; None for ordinary images.
        mode_kl: KL of the class shares from uniform, in nats, which grows as images get fewer;
            None for ordinary images.
        unseen: Frechet distance to images that were held out; None where there are none.
    """

    distance: float
    class_shares: tuple[float, ...]
    modes: float | None = None
    mode_kl: float | None = None
    unseen: float | None = None


class LiveScore:
    """Frechet distance of generated images to a real set whose moments are kept.

    Few images make the distance larger, so it is always taken on the same number of them, and
    `floor` is what as many real images score. Of stacked digits, the classes reached and their
    evenness are read as well; `real` holds what real images reach.

    Args:
        real: The training set.
        num_fakes: Images per reading; by default 2,048, or 10,000 of stacked digits.
        extractor: What describes the images: a registered name, an extractor, or "auto" for one
            that knows the real images.
        report: Is told how many real images of how many are described.
        unseen: Images that are not trained on, for a distance of their own; left out where they
            are too few for one.

    Raises:
        ConfigError: too few images for the extractor's features.

    Attributes:
        unseen_gap: How many times as far the unseen images lie from the training images as so many
            training images from the rest; about 1 where both are of one kind, and without any.
    """

    def __init__(
        self,
        real: ImageSet,
        num_fakes: int | None = None,
        extractor: str | Extractor = DEFAULT_EXTRACTOR,
        report: Report | None = None,
        unseen: ImageSet | None = None,
    ) -> None:
        self._net = extractor_for(real, extractor, report)
        self._stacked = is_by_channel(real, self._net)
        most = self._net.num_components
        least = NUM_FAKES if most is None else NUM_SLOW_FAKES
        least = max(least, SAMPLES_PER_FEATURE * compared_width(self._net))
        self.num_fakes = num_fakes or (NUM_STACKED_FAKES if self._stacked else least)
        self._shape = tuple(real.images.shape[1:])
        self._num_classes = count_classes(real, self._net)
        part = part_of(real, self._net, NUM_SLOW_REAL)
        described = describe_set(part, self._net, report)
        self._components = None
        if most is not None:
            most = min(most, len(real) // 2 // SAMPLES_PER_FEATURE)
            invisible = unseen_change(part.images.cpu(), described.features, self._net)
            self._components = principal_components(described.features, most, invisible)
        described = self._compared(described)
        self._moments = moments(described.features)
        self._unseen, self.unseen_gap = None, 1.0
        if unseen is not None and len(unseen) >= SAMPLES_PER_FEATURE * described.features.shape[1]:
            others = self._compared(describe_set(unseen, self._net, report)).features
            self._unseen = moments(others)
            self.unseen_gap = gap_of(described.features, others)
        count = len(described.classes)
        order = permutation(count, 0, "live-floor", 0)
        held = order[: min(self.num_fakes, count // 2)]
        rest = moments(described.features[order[len(held) :]])
        chosen = Description(described.features[held], described.classes[held])
        self.real = self._reading(chosen, rest)

    @property
    def has_unseen(self) -> bool:
        """Whether readings have a distance to images that are not trained on."""
        return self._unseen is not None

    @property
    def floor(self) -> float:
        """The Frechet distance of real images."""
        return self.real.distance

    @property
    def name(self) -> str:
        """The metric's name, with the extractor and its hash."""
        return f"fd[{self._net.name}]"

    def read(self, fake: Pixels) -> Reading:
        """Distance and class shares of the first `num_fakes` images.

        Raises:
            ConfigError: fewer images than that.
            ShapeError: their size or colours are not those of the real set.
        """
        if len(fake) < self.num_fakes:
            raise ConfigError(f"A live score takes {self.num_fakes} images, got {len(fake)}.")
        if tuple(fake.shape[1:]) != self._shape:
            raise ShapeError(
                f"The generated images are {tuple(fake.shape[1:])} (colours, rows, columns), "
                f"the real ones {self._shape}; they must agree."
            )
        found = describe_pixels(fake[: self.num_fakes].cpu(), self._net, self._stacked)
        compared = self._compared(found)
        reading = self._reading(compared, self._moments)
        if self._unseen is None:
            return reading
        return replace(reading, unseen=frechet_distance(moments(compared.features), self._unseen))

    def distance(self, fake: Pixels) -> float:
        """The Frechet distance alone."""
        return self.read(fake).distance

    def _compared(self, found: Description) -> Description:
        if self._components is None:
            return found
        return replace(found, features=self._components.project(found.features))

    def _reading(self, found: Description, reference: Moments) -> Reading:
        distance = frechet_distance(moments(found.features), reference)
        if not self._num_classes:
            return Reading(distance, ())
        counts = class_counts(found.classes, self._num_classes)
        shares = tuple((counts.double() / counts.sum()).tolist())
        if not self._stacked:
            return Reading(distance, shares)
        target = uniform_shares(self._num_classes)
        return Reading(distance, shares, count_modes(counts), divergence(counts, target))


def gap_of(trained: Features, unseen: OtherFeatures) -> float:
    """The distance of other images to a set over that of as many of its own to the rest.

    Args:
        trained: Features of the set.
        unseen: Features of the others.
    """
    count = min(len(unseen), len(trained) // 2)
    order = permutation(len(trained), 0, "unseen-gap", 0)
    rest = moments(trained[order[count:]])
    own = frechet_distance(moments(trained[order[:count]]), rest)
    return frechet_distance(moments(unseen[:count]), rest) / max(own, 1e-12)
