"""Where data comes from: the named data sets, and the readers of files by suffix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from orthogan.data.image_set import ImageSet
from orthogan.errors import ConfigError, DataError
from orthogan.registry import Registry

Colour: TypeAlias = Literal["auto", "grey", "rgb"]

SMALLEST_SIZE = 16  # below, a 4-pixel patch grid has too few tokens to attend over
LARGEST_SIZE = 64  # above, attention over the tokens outgrows a laptop CPU
SIZE_STEP = 4  # networks halve the image twice
DEFAULT_SIZE = 32  # when the images have no common usable size
MIN_IMAGES = 16  # fewer cannot fill a useful batch: a network would only memorise them
MAX_BYTES = 4 * 2**30  # of one decoded array: 60,000 RGB floats of 64 x 64 take 2.9 GB
SPLITS = ("train", "test")
# Names of a part of a data set, in any case; of several that are held out, the first is taken.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing", "validation", "valid", "val"),
}


class SingleSplitError(DataError):
    """The test split was asked of a source that has a single one."""


@dataclass(frozen=True)
class Wanted:
    """What the caller asked of a source: square size (None: decide), colours, split."""

    size: int | None = None
    colour: str = "auto"
    split: str = "train"

    def __post_init__(self) -> None:
        size = self.size
        if size is not None and (
            not SMALLEST_SIZE <= size <= LARGEST_SIZE or size % SIZE_STEP != 0
        ):
            raise ConfigError(
                f"An image size is a multiple of {SIZE_STEP} from {SMALLEST_SIZE} to "
                f"{LARGEST_SIZE}, got {size}."
            )
        if self.colour not in ("auto", "grey", "rgb"):
            raise ConfigError(f"colour is 'auto', 'grey' or 'rgb', got '{self.colour}'.")
        if self.split not in SPLITS:
            raise ConfigError(f"split is 'train' or 'test', got '{self.split}'.")

    def only_split(self, name: str) -> None:
        """Nothing, if the caller wants the only split a source called `name` has.

        Raises:
            SingleSplitError: the test split was asked for.
        """
        if self.split != "train":
            raise SingleSplitError(
                f"{name}: this source has a single split; ask for split='train', "
                f"not '{self.split}'."
            )


Source: TypeAlias = Callable[[Wanted], ImageSet]
Reader: TypeAlias = Callable[[Path, Wanted], ImageSet]

SOURCES: Registry[Source] = Registry("data set")
READERS: Registry[Reader] = Registry("data format")
