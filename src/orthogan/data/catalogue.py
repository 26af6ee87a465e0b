"""Where data comes from: data sets by name, files by their suffix, and hubs by their prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from orthogan.data.image_set import ImageSet
from orthogan.errors import ConfigError, DataError
from orthogan.registry import Registry, TraitRegistry

Colour: TypeAlias = Literal["auto", "grey", "rgb", "rgba"]
Fit: TypeAlias = Literal["crop", "pad"]

# Channels of an image by what its colours are called.
CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}

SMALLEST_SIZE = 16  # below, a 4-pixel patch grid has too few tokens to attend over
LARGEST_SIZE = 128  # above, a step takes seconds on a laptop CPU
LARGEST_KEPT = 64  # larger images are shrunk unless their size is asked for: a step costs twice
SIZE_STEP = 4  # networks halve the image twice
DEFAULT_SIZE = 32  # when the images have no common usable size
MIN_IMAGES = 16  # fewer cannot fill a useful batch: a network would only memorise them
MAX_BYTES = 4 * 2**30  # of one decoded array: 20,000 RGB floats of 128 x 128 take 3.9 GB
SPLITS = ("train", "test")
LABELS = ("auto", "prefix")
# Names of a part of a data set, in any case; of several that are held out, the first is taken.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing", "validation", "valid", "val"),
}


def colour_of(channels: int) -> Colour:
    """What the colours of images with so many channels are called.

    >>> colour_of(1), colour_of(4)
    ('grey', 'rgba')
    """
    names: dict[int, Colour] = {1: "grey", 3: "rgb", 4: "rgba"}
    return names[channels]


class SingleSplitError(DataError):
    """The test split was requested of a source that has a single one."""


@dataclass(frozen=True)
class LoadOptions:
    """What is requested of a source.

    Attributes:
        size: Side of the squares, px; None: their own.
        colour: `auto`, `grey`, `rgb`, or `rgba`, which keeps transparency as a fourth channel.
        split: `train` or `test`.
        labels: `auto`: as the source has them; `prefix`: a class is what file names begin with.
        fit: What makes a picture square: `crop`, to its middle, or `pad`, which adds to its sides.
    """

    size: int | None = None
    colour: str = "auto"
    split: str = "train"
    labels: str = "auto"
    fit: str = "crop"

    def __post_init__(self) -> None:
        size = self.size
        if size is not None and (
            not SMALLEST_SIZE <= size <= LARGEST_SIZE or size % SIZE_STEP != 0
        ):
            raise ConfigError(
                f"An image size is a multiple of {SIZE_STEP} from {SMALLEST_SIZE} to "
                f"{LARGEST_SIZE}, got {size}."
            )
        if self.colour not in ("auto", *CHANNELS):
            raise ConfigError(f"colour is 'auto', 'grey', 'rgb' or 'rgba', got '{self.colour}'.")
        if self.fit not in ("crop", "pad"):
            raise ConfigError(f"fit is 'crop' or 'pad', got '{self.fit}'.")
        if self.split not in SPLITS:
            raise ConfigError(f"split is 'train' or 'test', got '{self.split}'.")
        if self.labels not in LABELS:
            raise ConfigError(f"labels is 'auto' or 'prefix', got '{self.labels}'.")

    def only_split(self, name: str) -> None:
        """Refuse the test split of a source called `name`, which has none.

        Raises:
            SingleSplitError: the test split was asked for.
        """
        if self.split != "train":
            raise SingleSplitError(
                f"{name}: this source has a single split; ask for split='train', "
                f"not '{self.split}'."
            )

    def only_own_labels(self, name: str) -> None:
        """Refuse classes by file names of a source called `name`, which is no files of pictures.

        Raises:
            DataError: they were asked for.
        """
        if self.labels != "auto":
            raise DataError(
                f"{name}: labels={self.labels} reads classes from the names of pictures in a "
                "folder or a .zip, and this source has none; leave it out."
            )


@dataclass(frozen=True)
class DataSet:
    """Images that have a name of their own.

    Attributes:
        read: From the load options to the images.
        has_test_split: It has held-out images; where it has none, asking for them is refused.
    """

    read: Callable[[LoadOptions], ImageSet]
    has_test_split: bool = True


@dataclass(frozen=True)
class Format:
    """How files of one kind become images.

    Attributes:
        read: From a path and the load options to the images.
        suffixes: Ends of the names of its files, in lower case; the longest that fits decides,
            and "" fits every file.
        is_folder: It reads folders, not files.
        has_file_names: It reads pictures that are files of their own, which may name their class.
        claims: Whether the files directly in a folder are of this format; folders that hold no
            pictures are asked about. None: files decide for themselves.
        has_test_split: A file may hold held-out images; where none can, asking for them is
            refused before the file is opened.
        example: Writes a small file (or folder) of the format at a path, for the contract tests.
    """

    read: Callable[[Path, LoadOptions], ImageSet]
    suffixes: tuple[str, ...] = ()
    is_folder: bool = False
    has_test_split: bool = False
    example: Callable[[Path], object] | None = None
    claims: Callable[[Sequence[Path]], bool] | None = None
    has_file_names: bool = False


DATA_SETS = TraitRegistry("data set", DataSet, "orthogan.data.sets", group="sources")
FORMATS = TraitRegistry("data format", Format, "orthogan.data.formats", group="sources")
# By prefix: `hf:NAME` is the set NAME of the hub `hf`.
HUBS: Registry[Callable[[str, LoadOptions], ImageSet]] = Registry(
    "hub", "orthogan.data.sets", group="sources"
)
