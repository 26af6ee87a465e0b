"""A folder of NumPy files: one for the images, one for the labels, and a part held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthogan.data.catalogue import FORMATS, MAX_BYTES, SPLIT_NAMES, LoadOptions
from orthogan.data.file_parts import files_of_part, only_file
from orthogan.data.formats.arrays import (
    IMAGE_KEYS,
    LABEL_KEYS,
    arrays_as_images,
    find_key,
    load_npy,
    load_npz,
    read_npz_part,
)
from orthogan.data.image_set import ImageSet
from orthogan.errors import DataError
from orthogan.untrusted import read_array


def has_arrays(files: Sequence[Path]) -> bool:
    """Whether one of the files is named like a NumPy file."""
    return any(_has_suffix(file, ".npz", ".npy") for file in files)


def write_example(path: Path) -> None:
    """Twenty noisy images with four classes, without a test part."""
    path.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    np.save(path / "x_train.npy", pixels)
    np.save(path / "y_train.npy", np.arange(20) % 4)


@FORMATS.register(
    "array-folder", is_folder=True, has_test_split=True, claims=has_arrays, example=write_example
)
def load_array_folder(path: Path, options: LoadOptions) -> ImageSet:
    """The images of the `.npz` file in a folder, or of `x_train.npy` beside `y_train.npy`.

    Of `train.npz` beside `test.npz`, and of `x_train.npy` beside `x_test.npy`, the second is held
    out. Arrays have the names that they may have in an `.npz` file.

    Raises:
        DataError: several files that could be meant, or a damaged one.
    """
    files = [file for file in sorted(path.iterdir()) if file.is_file()]
    packed = [file for file in files if _has_suffix(file, ".npz")]
    if not packed:
        return _from_npy(path, [file for file in files if _has_suffix(file, ".npy")], options)
    if len(packed) == 1:
        images = load_npz(packed[0], options)
        return replace(images, name=path.name)
    chosen, notes = files_of_part(packed, path, options)
    images = read_npz_part(only_file(chosen, path, ".npz files"), options)
    return replace(images, name=path.name, notes=(*notes, *images.notes))


def _from_npy(path: Path, files: Sequence[Path], options: LoadOptions) -> ImageSet:
    by_stem = {file.stem.lower(): file for file in files}
    parts = SPLIT_NAMES[options.split]
    found = find_key(IMAGE_KEYS, by_stem, parts)
    if found is None or found.part is None:
        options.only_split(str(path))
    if found is None and len(files) == 1:
        return replace(load_npy(files[0], options), name=path.name)
    if found is None:
        accepted = ", ".join(f"{key.format(options.split)}.npy" for key in IMAGE_KEYS)
        names = ", ".join(file.name for file in files[:10])
        raise DataError(
            f"{path}: no file is named like images ({accepted}); it holds: {names}; name one."
        )
    file = by_stem[found.name]
    key = find_key(LABEL_KEYS, by_stem, [found.part] if found.part else parts)
    images = arrays_as_images(_read(file), key and _read(by_stem[key.name]), options)
    return replace(images, name=path.name)


def _read(file: Path) -> tuple[NDArray[Any], str]:
    return read_array(file, MAX_BYTES), str(file)


def _has_suffix(file: Path, *suffixes: str) -> bool:
    return file.suffix.lower() in suffixes and not file.name.startswith(".")
