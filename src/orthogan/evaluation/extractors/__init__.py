"""Named, hashed feature extractors: what turns images into the numbers that are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

from orthogan.data import ImageSet
from orthogan.errors import ConfigError, listed
from orthogan.registry import Registry
from orthogan.shapes import Features, Pixels

HASH_DIGITS = 6  # of the weights' SHA-256, in a name


@runtime_checkable  # so that annotations can be checked while tests run
class Extractor(Protocol):
    """A pinned network that describes images by features and, if it has any, by classes."""

    @property
    def name(self) -> str:
        """Short name with the first digits of `sha256`, part of every metric's name."""

    @property
    def sha256(self) -> str:
        """Of its weights: other weights are another extractor."""

    @property
    def channels(self) -> int:
        """Channels that it is given: 1 for grey, 3 for RGB; other images are converted."""

    @property
    def size(self) -> int | None:
        """Side in pixels that it is given; None if it takes images as they are."""

    @property
    def num_features(self) -> int:
        """Features per image (per channel, where channels are described one by one)."""

    @property
    def num_components(self) -> int | None:
        """Principal components of the real images that are compared; None: the features."""

    @property
    def num_classes(self) -> int:
        """Classes per image (per channel, where channels are described one by one); 0: none."""

    @property
    def domain(self) -> str:
        """The kind of images that it knows, as in 'handwritten digits'."""

    def knows(self, images: ImageSet) -> bool:
        """Whether its features mean something on these images; a note is given where not."""

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features and class probabilities (`B 0` without classes) of grey or RGB images."""


EXTRACTORS: Registry[Callable[[], Extractor]] = Registry(
    "extractor", "orthogan.evaluation.extractors", group="extractors"
)


def compared_width(extractor: Extractor) -> int:
    """How many numbers an image are compared (per channel, where these are described alone)."""
    return extractor.num_components or extractor.num_features


def load_extractor(extractor: str | Extractor) -> Extractor:
    """The extractor itself, or the registered one of that name.

    Raises:
        UnknownNameError: no such extractor.
        BundleError: its weights are missing or damaged.
        ConfigError: it does not state all that an `Extractor` states.
    """
    found = EXTRACTORS[extractor]() if isinstance(extractor, str) else extractor
    stated = [name for name in vars(Extractor) if not name.startswith("_")]
    missing = [name for name in stated if not hasattr(found, name)]
    if missing:
        raise ConfigError(
            f"An extractor states {listed(stated, 'and')}; {found!r} has no {listed(missing)}."
        )
    return found
