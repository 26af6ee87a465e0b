"""MNIST from inside the package, and the 1000-mode Stacked-MNIST made of it."""

from __future__ import annotations

import hashlib
import io
import zlib
from dataclasses import replace
from importlib.resources import files

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import DATA_SETS, LoadOptions
from orthogan.data.formats.idx import read_idx
from orthogan.data.image_set import ImageSet
from orthogan.data.stacked import stack
from orthogan.errors import ConfigError, DataError

# md5 of the uncompressed files, as published with MNIST, by (split, axes).
FILES = {
    ("train", 3): ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", 47_040_016),
    ("train", 1): ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", 60_008),
    ("test", 3): ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", 7_840_016),
    ("test", 1): ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", 10_008),
}
DIGITS = tuple("0123456789")
FRESH_NOTE = (
    "Training draws fresh triples of digits all the time, independently, as the seed says; "
    "scores compare with 60,000 drawn once."
)


def checked_content(compressed: bytes, name: str, md5: str, num_bytes: int) -> bytes:
    """The uncompressed bytes, if their md5 is the published one.

    Raises:
        DataError: they are damaged.
    """
    try:
        # 31: a gzip header; the known size saves growing the buffer, a third of the time.
        content = zlib.decompress(compressed, 31, num_bytes)
    except zlib.error:
        content = b""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(
            f"The embedded MNIST file {name} does not have its published checksum {md5}; "
            "reinstall orthogan."
        )
    return content


def read_embedded(split: str, num_axes: int) -> NDArray[np.uint8]:
    """The images (3 axes) or labels (1 axis) of a split, as published."""
    name, md5, num_bytes = FILES[split, num_axes]
    compressed = files("orthogan.assets").joinpath("mnist", f"{name}.gz").read_bytes()
    content = checked_content(compressed, name, md5, num_bytes)
    return read_idx(io.BytesIO(content), name, num_axes)


@DATA_SETS.register("mnist")
def load_mnist(options: LoadOptions) -> ImageSet:
    """The MNIST database of handwritten digits (60,000 train, 10,000 test), embedded."""
    images = torch.from_numpy(read_embedded(options.split, 3))[:, None]
    labels = torch.from_numpy(read_embedded(options.split, 1).astype(np.int64))
    notes: list[str] = []
    if options.size not in (None, 28) or options.colour in ("rgb", "rgba"):
        images, notes = assemble(images[:, 0].numpy(), options)
    return ImageSet(images, labels, DIGITS, "mnist", tuple(notes), options.split)


@DATA_SETS.register("stacked-mnist")
def load_stacked(options: LoadOptions) -> ImageSet:
    """Stacked-MNIST: RGB images whose three channels are digits, 1000 classes in all.

    A training run draws fresh triples without end (`StackedImages`). The set itself holds 60,000
    triples of the train split or 10,000 of the test split, drawn once with seed 0, for scores to
    compare with. `stack` draws other numbers and seeds.

    Raises:
        ConfigError: a fourth channel is asked for.
    """
    if options.colour == "rgba":
        raise ConfigError(
            "The three channels of stacked-mnist are digits, and none is opacity; leave out "
            "colour=rgba."
        )
    if options.colour == "grey":
        return _flattened(stack(load_mnist(LoadOptions(split=options.split))), options)
    stacked = stack(load_mnist(LoadOptions(options.size, "grey", options.split)))
    if options.split != "train":
        return stacked
    return replace(stacked, notes=(*stacked.notes, FRESH_NOTE))


def _flattened(stacked: ImageSet, options: LoadOptions) -> ImageSet:
    """The three digits of each image on top of each other, as one grey picture."""
    images, notes = assemble(stacked.images.permute(0, 2, 3, 1).numpy(), options)
    return ImageSet(
        images, stacked.labels, stacked.class_names, stacked.name, tuple(notes), stacked.split
    )
