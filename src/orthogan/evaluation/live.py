"""A score cheap enough to watch during training."""

from __future__ import annotations

from dataclasses import dataclass

from orthogan.data import ImageSet
from orthogan.errors import ConfigError, ShapeError
from orthogan.evaluation.description import (
    count_classes,
    describe_pixels,
    describe_set,
    is_stacked,
)
from orthogan.evaluation.extractor import EXTRACTORS
from orthogan.evaluation.frechet import frechet_distance, moments
from orthogan.evaluation.modes import class_counts
from orthogan.rng import permutation
from orthogan.shapes import Pixels

NUM_FAKES = 2048  # 32 for each of 64 features; 0.15 s on one core


@dataclass(frozen=True)
class Reading:
    """Frechet distance and the share of each class, on `num_fakes` images."""

    distance: float
    class_shares: tuple[float, ...]


class LiveScore:
    """Frechet distance of generated images to a real set whose moments are kept.

    Few images make the distance larger, so it is always taken on the same number of them, and
    `floor` is what as many real images score.

    Args:
        real: The training set.
        num_fakes: Images per reading.
        extractor: Registered name of the network that describes the images.

    Raises:
        ConfigError: too few images for the extractor's features.
    """

    def __init__(
        self, real: ImageSet, num_fakes: int = NUM_FAKES, extractor: str = "digits-cls"
    ) -> None:
        self.num_fakes = num_fakes
        self._shape = tuple(real.images.shape[1:])
        self._net = EXTRACTORS[extractor]()
        self._stacked = is_stacked(real)
        self._num_classes = count_classes(real, self._net)
        features = describe_set(real, self._net).features
        self._moments = moments(features)
        order = permutation(len(features), 0, "live-floor", 0)
        part = order[: min(num_fakes, len(features) // 2)]
        rest = order[len(part) :]
        self.floor = frechet_distance(moments(features[part]), moments(features[rest]))

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
        counts = class_counts(found.classes, self._num_classes).double()
        shares = tuple((counts / counts.sum()).tolist())
        return Reading(frechet_distance(moments(found.features), self._moments), shares)

    def distance(self, fake: Pixels) -> float:
        """The Frechet distance alone."""
        return self.read(fake).distance
