"""Class names as numbers: one label an image, or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.errors import DataError

NUM_SHOWN = 10  # class names in a sentence; it stays readable


@dataclass(frozen=True)
class LabelScheme:
    """How class names and rows of label indices belong together.

    Attributes:
        names: The classes of each label, in order of their indices.
        parts: Labels an image; with several, a class name has one character a label.
    """

    names: tuple[str, ...]
    parts: int = 1

    def encode(self, images: ImageSet) -> Tensor:
        """The label indices of each image, `B L` int64.

        Raises:
            DataError: the images have no labels, or a class that the scheme does not know.

        >>> pixels = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
        >>> triples = ImageSet(pixels, torch.tensor([1, 0]), ("21", "22"))
        >>> LabelScheme(("1", "2"), parts=2).encode(triples).tolist()
        [[1, 1], [1, 0]]
        """
        index = {name: number for number, name in enumerate(self.names)}
        labels = _labels(images)
        # Not every name need occur: a test set may list classes that it has no image of.
        rows = torch.full((len(images.class_names), self.parts), -1)
        for number in labels.unique().tolist():
            name = images.class_names[number]
            parts = [name] if self.parts == 1 else list(name)
            if len(parts) != self.parts or not index.keys() >= set(parts):
                raise DataError(
                    f"{images.name}: has images of class '{name}', which is none of the classes "
                    f"to choose from: {_listed(self.names)}."
                )
            rows[number] = torch.tensor([index[part] for part in parts])
        return rows[labels]

    def decode(self, indices: Tensor) -> list[str]:
        """The class name of each row of label indices `B L`.

        >>> LabelScheme(("1", "2"), parts=2).decode(torch.tensor([[1, 1], [1, 0]]))
        ['22', '21']
        """
        return ["".join(self.names[i] for i in row) for row in indices.tolist()]


def scheme_of(images: ImageSet, parts: int = 1) -> LabelScheme:
    """The labels of a training set.

    Raises:
        DataError: there are no labels, fewer than two classes, or class names that do not have
            one character a label.
    """
    present = [images.class_names[number] for number in _labels(images).unique().tolist()]
    if len(present) < 2:
        raise DataError(
            f"{images.name}: all images are of one class ('{present[0]}'); "
            "a classifier needs at least two."
        )
    if parts == 1:
        return LabelScheme(tuple(present))
    wrong = next((name for name in present if len(name) != parts), None)
    if wrong is not None:
        raise DataError(
            f"{images.name}: data.label_parts={parts} needs class names of {parts} characters, "
            f"one is '{wrong}'."
        )
    return LabelScheme(tuple(sorted(set("".join(present)))), parts)


def _labels(images: ImageSet) -> Tensor:
    if images.labels is None:
        raise DataError(
            f"{images.name}: has no labels, so there is nothing to learn from or score with; "
            "sort the pictures into one sub-folder a class, or add an array 'labels'."
        )
    return images.labels


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NUM_SHOWN} more" if len(names) > NUM_SHOWN else ""
    return ", ".join(names[:NUM_SHOWN]) + more
