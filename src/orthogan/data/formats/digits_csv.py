"""Tables of pixels, as Kaggle hands out its digits: `label,pixel0,...`, an image a row."""

from __future__ import annotations

import csv
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthogan.data.catalogue import FORMATS, MAX_BYTES, LoadOptions
from orthogan.data.file_parts import files_of_part, only_file
from orthogan.data.formats.arrays import arrays_as_images
from orthogan.data.image_set import ImageSet
from orthogan.errors import DataError

LABEL = "label"
SMALLEST_SIDE = 8  # of the digits in scikit-learn; fewer numbers in a row are something else
MAX_HEAD_BYTES = 2**20  # of the first line: names of 3 x 64 x 64 pixels take a tenth of it
_NUMBER = re.compile(r"\s*[0-9]+(\.[0-9]*)?\s*")
_PIXEL = re.compile(r"(pixel|px|p)?[-_ ]?[0-9]+(x[0-9]+)?")  # pixel0, 1x28, 783


@dataclass(frozen=True)
class Header:
    """What the first line of a table says.

    Attributes:
        num_columns: Cells in a row.
        label: The column of the labels, or None.
        rows_above: Lines before the first image: 1 if there are names of columns.
    """

    num_columns: int
    label: int | None
    rows_above: int

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Rows, columns and, of colours, 3; None if the pixels make no square."""
        pixels = self.num_columns - (self.label is not None)
        for channels in (1, 3):
            side = math.isqrt(max(pixels, 0) // channels)
            if side >= SMALLEST_SIDE and side * side * channels == pixels:
                return (side, side, 3)[: 2 + (channels == 3)]
        return None


def has_pixels(files: Sequence[Path]) -> bool:
    """Whether one of the files is a table of pixels, by its first line."""
    return bool(_tables(files))


def write_example(path: Path) -> None:
    """Twenty noisy images with four classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 256))
    names = ",".join(["label", *(f"pixel{number}" for number in range(256))])
    rows = np.c_[np.arange(20) % 4, pixels]
    np.savetxt(path, rows, "%d", ",", header=names, comments="")


def write_example_folder(path: Path) -> None:
    """The same as the one table of a folder."""
    path.mkdir()
    write_example(path / "train.csv")


@FORMATS.register("csv", suffixes=(".csv",), example=write_example)
def load_csv(path: Path, options: LoadOptions) -> ImageSet:
    """A table of pixels, an image a row; its column `label` holds the classes.

    A table without names of columns has the label first, if one number more than a square stands
    in a row.

    Raises:
        DataError: another table, a row that is too long or too short, or a cell that is no number.
    """
    header = _header(path)
    shape = None if header is None else header.shape
    if header is None or shape is None:
        raise DataError(
            f"{path}: a table of images has a row of pixels for each, and may have a column "
            f"'{LABEL}' (label,pixel0,pixel1,...), with as many pixels as a square has, or three "
            "times as many; its first line is another one."
        )
    cells = _cells(path, header)
    labels = None
    if header.label is not None:
        labels = (_whole(cells[:, header.label], path), f"{path}[{LABEL}]")
        cells = np.delete(cells, header.label, 1)
    with np.errstate(invalid="ignore"):  # what is not finite is refused with the others
        as_bytes = cells.clip(0, 255).astype(np.uint8)
    pixels = as_bytes if (as_bytes == cells).all() else cells
    images = arrays_as_images((pixels.reshape(-1, *shape), str(path)), labels, options)
    return replace(images, name=path.name)


@FORMATS.register(
    "csv-folder",
    is_folder=True,
    has_test_split=True,
    claims=has_pixels,
    example=write_example_folder,
)
def load_csv_folder(path: Path, options: LoadOptions) -> ImageSet:
    """The table of pixels in a folder; of `train.csv` beside `test.csv` the second is held out.

    Raises:
        DataError: several tables for the same part, or a damaged one.
    """
    files, notes = files_of_part(_tables(list(path.iterdir())), path, options)
    images = load_csv(only_file(files, path, "tables of images"), options)
    return replace(images, name=path.name, notes=(*notes, *images.notes), split=options.split)


def _tables(files: Sequence[Path]) -> list[Path]:
    found = []
    for file in files:
        if file.suffix.lower() == ".csv" and file.is_file():
            header = _header(file)
            if header is not None and header.shape is not None:
                found.append(file)
    return found


def _header(path: Path) -> Header | None:
    """The first line of a table, if it may be one of pixels."""
    with path.open("rb") as file:
        line = file.readline(MAX_HEAD_BYTES).decode("utf-8-sig", "replace")
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        return None
    if not cells:
        return None
    names = [cell.strip().lower() for cell in cells]
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        bare = Header(len(cells), None, 0)
        return bare if bare.shape else Header(len(cells), 0, 0)
    label = names.index(LABEL) if LABEL in names else None
    others = [name for place, name in enumerate(names) if place != label]
    is_named = bool(others) and all(_PIXEL.fullmatch(name) for name in others)
    return Header(len(cells), label, 1) if is_named else None


def _cells(path: Path, header: Header) -> NDArray[np.float32]:
    size = path.stat().st_size
    if size > MAX_BYTES:  # a cell takes at least two bytes there and four here
        raise DataError(f"{path}: has {size:,} bytes; the limit is {MAX_BYTES:,}.")
    options: dict[str, Any] = {"delimiter": ",", "skiprows": header.rows_above, "ndmin": 2}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a table without rows
            cells = np.loadtxt(
                path, np.float32, comments=None, encoding="utf-8-sig", quotechar='"', **options
            )
    except (ValueError, OverflowError) as error:
        why = (str(error).splitlines() or ["damaged"])[0][:120].rstrip(".")
        raise DataError(f"{path}: is damaged: {why}; download it again.") from None
    if len(cells) and cells.shape[1] != header.num_columns:
        raise DataError(
            f"{path}: a row has {cells.shape[1]} cells and the first line {header.num_columns}; "
            "download it again."
        )
    return cells.reshape(-1, header.num_columns)


def _whole(labels: NDArray[np.float32], path: Path) -> NDArray[np.int64]:
    """Labels as whole numbers.

    Raises:
        DataError: some are none.
    """
    if (
        not np.isfinite(labels).all()
        or (labels != labels.round()).any()
        or (
            np.abs(labels) >= 2**24  # larger ones are rounded in float32
        ).any()
    ):
        raise DataError(f"{path}: the column '{LABEL}' holds whole numbers; mend the file.")
    return labels.astype(np.int64)
