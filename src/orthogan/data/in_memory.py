"""Images that a Python program holds: arrays, tensors and data sets of PyTorch.

A run names what it learns from, so that it can be resumed and scored. Images in memory are named by
their content, `memory:` and 16 digits, and are kept under that name as long as the process lives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import LoadOptions
from orthogan.data.dataset_items import read_items
from orthogan.data.formats.arrays import channels_last, to_bytes
from orthogan.data.image_set import ImageSet
from orthogan.data.labels import classes
from orthogan.data.squares import Picture
from orthogan.errors import ConfigError, DataError
from orthogan.shapes import Labels

PREFIX = "memory:"


@runtime_checkable
class Items(Protocol):
    """A sequence, or a data set of PyTorch, whose module takes too long to import for a type."""

    def __getitem__(self, index: Any, /) -> Any: ...


# An array or tensor is images on its first axis; of anything else the items are (image[, label]).
ImageSource: TypeAlias = str | Path | ImageSet | NDArray[Any] | Tensor | Items | Iterable[Any]


@dataclass(frozen=True)
class Kept:
    """Images as they were given, before they are made into squares.

    Attributes:
        pictures: One array, or a list where their shapes differ.
        labels: The class of each, or None.
        class_names: One name a class.
        notes: What was done to them already.
    """

    pictures: NDArray[np.uint8] | list[Picture]
    labels: Labels | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...]

    def name(self) -> str:
        """`memory:` and 16 hexadecimal digits that change with any pixel, shape or label."""
        digest = hashlib.blake2b(digest_size=8)
        for part in [self.pictures] if isinstance(self.pictures, np.ndarray) else self.pictures:
            digest.update(repr(part.shape).encode())
            digest.update(np.ascontiguousarray(part).data)
        if self.labels is not None:
            digest.update(self.labels.contiguous().numpy().data)
        return PREFIX + digest.hexdigest()


_KEPT: dict[str, Kept] = {}


def source_of(source: ImageSource | None) -> str | Path | None:
    """A source by its name: of images in memory the one they are kept under, else as it is.

    >>> source_of("mnist"), str(source_of(np.zeros((16, 16, 16), np.uint8)))[:7]
    ('mnist', 'memory:')

    Raises:
        DataError: they are no images.
    """
    return source if source is None or isinstance(source, str | Path) else keep(source)


def keep(source: Any, labels: Any = None, class_names: Sequence[str] = ()) -> str:
    """Keeps images in memory under a name that `load` takes in this process.

    Args:
        source: An array or tensor of images (`B H W`, `B H W C` or `B C H W`, uint8 or floats), an
            `ImageSet`, or a data set or sequence of (image[, label]).
        labels: The class of each image of an array, as numbers or texts.
        class_names: What classes that are numbers are called, from 0 on.

    Raises:
        ConfigError: labels beside images that have their own.
        DataError: they are no images, or the labels are no classes of theirs.
    """
    if isinstance(source, ImageSet):
        kept = _of_set(source)
    elif isinstance(source, Tensor | np.ndarray):
        kept = _of_array(source, labels, class_names)
        labels = None
    else:
        pictures, stated, notes = read_items(source)
        names = class_names or getattr(source, "classes", ())
        kept = Kept(pictures, None, (), tuple(notes))
        if stated is not None:
            kept = _labelled(kept, np.asarray(stated), names)
    if labels is not None:
        raise ConfigError("labels= goes with an array or a tensor; these images have their own.")
    _KEPT[kept.name()] = kept
    return kept.name()


def is_kept(source: object) -> bool:
    """Whether a source is a name of images in memory, of this process or another."""
    return isinstance(source, str) and source.startswith(PREFIX)


def load_kept(source: str, options: LoadOptions) -> ImageSet:
    """The images in memory of that name, as equal squares.

    Raises:
        DataError: they are not in the memory of this process.
    """
    options.only_split(source)
    options.only_own_labels(source)
    kept = _KEPT.get(source)
    if kept is None:
        raise DataError(
            f"{source}: these images were in the memory of another Python process; give the same "
            "images again, from Python: og.train(images), or og.load_data(images) before others."
        )
    images, notes = assemble(kept.pictures, options)
    return ImageSet(
        images, kept.labels, kept.class_names, source, (*kept.notes, *notes), options.split
    )


def _of_set(images: ImageSet) -> Kept:
    if images.draws_afresh:
        raise ConfigError(f"{images.name} draws its images afresh; give its name instead.")
    if images.is_sample:
        raise ConfigError(f"{images.name} stays on disk; give its path instead.")
    pixels = images.images.cpu().permute(0, 2, 3, 1).numpy()
    labels = None if images.labels is None else images.labels.cpu()
    return Kept(pixels.squeeze(3) if images.colours == 1 else pixels, labels,
                images.class_names, images.notes)  # fmt: skip


def _of_array(source: NDArray[Any] | Tensor, labels: Any, class_names: Sequence[str]) -> Kept:
    pixels, notes = to_bytes(channels_last(as_array(source), "the images"), "the images")
    kept = Kept(pixels, None, (), tuple(notes))
    return kept if labels is None else _labelled(kept, as_array(labels), class_names)


def _labelled(kept: Kept, labels: NDArray[Any], class_names: Sequence[str]) -> Kept:
    index, found = classes(labels, len(kept.pictures), "the labels")
    if class_names and labels.dtype.kind in "iu":
        if not all(0 <= int(label) < len(class_names) for label in found):
            raise DataError(
                f"the labels: {len(class_names)} class names are for labels from 0 to "
                f"{len(class_names) - 1}, got {found[0]} to {found[-1]}."
            )
        found = tuple(str(class_names[int(label)]) for label in found)
    if len(set(found)) != len(found):
        raise DataError("the labels: two classes have the same name; give each its own.")
    return replace(kept, labels=index, class_names=found)


def as_array(values: Any) -> NDArray[Any]:
    """A tensor, array or sequence as a NumPy array."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values
        return np.asarray(values.numpy())
    return np.asarray(values)
