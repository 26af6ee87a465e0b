"""CIFAR-10 and CIFAR-100 in their binary version: one file, or the folder that is unpacked.

Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images"; the layout of a
record is described in https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import FORMATS, MAX_BYTES, LoadOptions
from orthogan.data.file_parts import files_of_part
from orthogan.data.image_set import ImageSet
from orthogan.errors import DataError

SIDE = 32
PIXEL_BYTES = 3 * SIDE * SIDE  # red, green and blue planes, row by row
MAX_NAMES_BYTES = 2**16  # of a file of class names: CIFAR-100's has a thousand
_BATCH = re.compile(r"data_batch_\d+\.bin|test_batch\.bin|train\.bin|test\.bin")


@dataclass(frozen=True)
class Layout:
    """How the records of a version begin.

    Attributes:
        name: What the version is called.
        limits: How many values each of the labels may take; the last one is the class.
        names_file: Holds the class names, one a line.
    """

    name: str
    limits: tuple[int, ...]
    names_file: str

    @property
    def record(self) -> int:
        """Bytes of an image with its labels."""
        return len(self.limits) + PIXEL_BYTES


LAYOUTS = (
    Layout("CIFAR-10", (10,), "batches.meta.txt"),
    Layout("CIFAR-100", (20, 100), "fine_label_names.txt"),
)


def is_unpacked(files: Sequence[Path]) -> bool:
    """Whether the files are those of an unpacked binary version."""
    return any(_BATCH.fullmatch(file.name) for file in files)


def write_example(path: Path) -> None:
    """Twenty noisy images of ten classes, as a file."""
    rows = np.random.default_rng(0).integers(0, 256, (20, LAYOUTS[0].record), dtype=np.uint8)
    rows[:, 0] = np.arange(20) % 10
    path.write_bytes(rows.tobytes())


def write_example_folder(path: Path) -> None:
    """The same as one batch of a folder, with names of the classes."""
    path.mkdir()
    write_example(path / "data_batch_1.bin")
    (path / LAYOUTS[0].names_file).write_text("".join(f"kind {n}\n" for n in range(10)) + "\n")


@FORMATS.register("cifar", suffixes=(".bin",), example=write_example)
def load_cifar(path: Path, options: LoadOptions) -> ImageSet:
    """A binary file of CIFAR-10 or CIFAR-100, with the class names beside it if they are there.

    Raises:
        DataError: no whole number of records, or labels that such a file does not have.
    """
    return _images([path], path.parent, path, options)


@FORMATS.register(
    "cifar-folder",
    is_folder=True,
    has_test_split=True,
    claims=is_unpacked,
    example=write_example_folder,
)
def load_cifar_folder(path: Path, options: LoadOptions) -> ImageSet:
    """The binary version of CIFAR-10 or CIFAR-100 in a folder; its test batch is held out.

    Raises:
        DataError: a file is damaged.
    """
    batches = [file for file in path.iterdir() if _BATCH.fullmatch(file.name)]
    files, notes = files_of_part(batches, path, options)
    return _images(files, path, path, options, tuple(notes))


def _images(
    files: Sequence[Path],
    folder: Path,
    where: Path,
    options: LoadOptions,
    notes: tuple[str, ...] = (),
) -> ImageSet:
    contents = [_read(file) for file in files]
    layout = _layout(contents[0], files[0])
    rows = np.concatenate(
        [_records(content, layout, file) for content, file in zip(contents, files, strict=True)]
    )
    first = len(layout.limits)
    pictures = rows[:, first:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    images, more = assemble(pictures, options)
    present, labels = np.unique(rows[:, first - 1], return_inverse=True)
    names = _names(folder / layout.names_file, layout)
    return ImageSet(
        images,
        torch.from_numpy(labels.astype(np.int64)),
        tuple(names[number] for number in present.tolist()),
        where.name,
        (*notes, *more),
        options.split,
    )


def _read(file: Path) -> NDArray[np.uint8]:
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{file}: has {size:,} bytes; the limit is {MAX_BYTES:,}.")
    return np.fromfile(file, np.uint8)


def _layout(content: NDArray[np.uint8], file: Path) -> Layout:
    """The version whose records fit into a file, with labels that it may have."""
    fits = [each for each in LAYOUTS if len(content) and len(content) % each.record == 0]
    right = [each for each in fits if _labels_fit(content, each)]
    if right:
        return right[0]
    if fits:
        raise DataError(
            f"{file}: its labels are not those of {fits[0].name} (0 to {fits[0].limits[-1] - 1}), "
            "so it is damaged or another file; download it again."
        )
    sizes = " or ".join(f"{each.record} ({each.name})" for each in LAYOUTS)
    raise DataError(
        f"{file}: a binary file of CIFAR has whole records of {sizes} bytes, got {len(content):,} "
        "bytes; download it again."
    )


def _records(content: NDArray[np.uint8], layout: Layout, file: Path) -> NDArray[np.uint8]:
    if _layout(content, file) is not layout:
        raise DataError(f"{file}: is not of {layout.name}, as the files beside it; remove it.")
    return content.reshape(-1, layout.record)


def _labels_fit(content: NDArray[np.uint8], layout: Layout) -> bool:
    labels = content.reshape(-1, layout.record)[:, : len(layout.limits)]
    return bool((labels < np.array(layout.limits)).all())


def _names(file: Path, layout: Layout) -> list[str]:
    """The class names in a file, in its order; numbers where there is no such file."""
    count = layout.limits[-1]
    if not file.is_file():
        return [str(number) for number in range(count)]
    with file.open("rb") as stream:
        text = stream.read(MAX_NAMES_BYTES).decode("utf-8", "backslashreplace")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(set(names)) != count:
        raise DataError(
            f"{file}: holds the {count} different class names of {layout.name}, one a line, "
            f"got {len(set(names))}; mend or remove it."
        )
    return names
