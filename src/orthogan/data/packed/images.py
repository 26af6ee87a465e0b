"""A packed set that stays on disk: training sees all of it, a sample in memory stands for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data.image_set import ImageSet
from orthogan.data.packed.reading import Reader
from orthogan.shapes import Labels, Pixels

MOST_SAMPLED = 20_000  # a Frechet distance on 64 features is taken on a tenth of it
MOST_SAMPLED_BYTES = 128 * 2**20


@dataclass(frozen=True)
class PackedImages(ImageSet):
    """Images on disk. Training sees every one in the order of `Order`, as it sees a set in memory.

    `images` and `labels` are a sample, drawn once: scores, inspections, the watch and reports look
    at it alone, so that none of them reads the whole set.

    Attributes:
        reader: Reads images by their numbers.
        every_label: The class of every image (int64), or None; longer than `labels`.
    """

    reader: Reader = field(kw_only=True, repr=False, compare=False)
    every_label: Tensor | None = field(kw_only=True, repr=False, default=None)

    is_sample: ClassVar[bool] = True

    @property
    def num_images(self) -> int:
        """How many images training sees."""
        return self.reader.layout.num_images

    @property
    def training_labels(self) -> Labels | None:
        """The class of every image that training sees."""
        return self.every_label

    def placed(self, index: Tensor) -> Tensor:
        """Numbers for `take`, where it needs them: the files are read by the CPU."""
        return index

    def take(self, index: Tensor) -> tuple[Pixels, Labels | None]:
        """The pixels, and the labels if there are any, of images by their numbers in the set.

        Raises:
            DataError: a shard is missing or damaged.
        """
        numbers = index.cpu()
        pixels = self.reader.pixels(numbers.tolist())
        labels = None if self.every_label is None else self.every_label[numbers]
        device = self.images.device
        placed = None if labels is None else rng.to_device(labels, device)
        return rng.to_device(pixels, device), placed

    def only(self, index: Tensor) -> ImageSet:
        """The set of those images alone, in memory."""
        pixels, labels = self.take(index)
        return ImageSet(
            pixels, labels, self.class_names, self.name, self.notes, self.split, self.facts
        )

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any file: the checksums stand for the pixels."""
        return self.reader.layout.fingerprint()


def sampled(reader: Reader, name: str) -> PackedImages:
    """The set behind a reader, with its sample.

    Raises:
        DataError: a file is missing or damaged.
    """
    layout = reader.layout
    count = min(MOST_SAMPLED, MOST_SAMPLED_BYTES // layout.image_bytes, layout.num_images)
    chosen = rng.permutation(layout.num_images, 0, "packed-sample", 0)[:count].sort().values
    labels = reader.labels()
    note = (
        f"Training reads all {layout.num_images:,} images from the disk; {count:,} of them, drawn "
        "once, stand for the set in scores, inspections and reports."
    )
    return PackedImages(
        reader.pixels(chosen.tolist()),
        None if labels is None else labels[chosen],
        layout.class_names,
        name,
        (*layout.notes, note),
        facts=layout.facts,
        reader=reader,
        every_label=labels,
    )


def whole(reader: Reader, name: str) -> ImageSet:
    """The set behind a reader in memory, as any other.

    Raises:
        DataError: a file is missing or damaged.
    """
    layout = reader.layout
    pixels = torch.empty(
        (layout.num_images, layout.colours, layout.size, layout.size), dtype=torch.uint8
    )
    for start in range(0, layout.num_images, layout.per_shard):
        numbers = range(start, min(start + layout.per_shard, layout.num_images))
        pixels[numbers.start : numbers.stop] = reader.pixels(numbers)
    return ImageSet(
        pixels, reader.labels(), layout.class_names, name, layout.notes, facts=layout.facts
    )
