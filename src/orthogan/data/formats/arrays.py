"""NumPy files of images: `.npz` and `.npy`, never unpickled."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import FORMATS, MAX_BYTES, SPLIT_NAMES, LoadOptions
from orthogan.data.facts import Note
from orthogan.data.image_set import ImageSet
from orthogan.data.labels import classes
from orthogan.errors import DataError
from orthogan.untrusted import ArrayArchive, open_arrays, read_array

# Accepted names, the first one present wins; {} stands for the split.
IMAGE_KEYS = ("x_{}", "{}_images", "images", "x", "X", "data", "arr_0")
LABEL_KEYS = ("y_{}", "{}_labels", "labels", "y")
CHUNK = 4096  # images converted at a time, so that no second copy of the set exists in floats
ROUNDING = 1e-3  # how far outside of its range a float may stray by rounding


class Key(NamedTuple):
    """The name of an array, and the part of the data set that it says it belongs to."""

    name: str
    part: str | None = None


@FORMATS.register("npy", suffixes=(".npy",))
def load_npy(path: Path, options: LoadOptions) -> ImageSet:
    """The images of one `.npy` array, without labels."""
    images = arrays_as_images((read_array(path, MAX_BYTES), str(path)), None, options)
    return replace(images, name=path.name)


@FORMATS.register("npz", suffixes=(".npz",), has_test_split=True)
def load_npz(path: Path, options: LoadOptions) -> ImageSet:
    """The images of an `.npz` file, with its labels if it has some.

    Images are looked for under `x_train`, `train_images` (or `test`, `val`), `images`, `x`, `X`,
    `data`, `arr_0`; labels under `y_train`, `train_labels` (or `test`, `val`), `labels`, `y`.

    Raises:
        DataError: damaged, none of these names, or the test split of a file without one.
    """
    return _read_npz(path, options, is_part=False)


def read_npz_part(path: Path, options: LoadOptions) -> ImageSet:
    """The images of an `.npz` file that holds nothing but the part that was asked for.

    Raises:
        DataError: damaged, or without an array that is named like images.
    """
    return _read_npz(path, options, is_part=True)


def arrays_as_images(
    images: tuple[NDArray[Any], str], labels: tuple[NDArray[Any], str] | None, options: LoadOptions
) -> ImageSet:
    """An array of images and one of labels as a set; each comes with its name for messages.

    Raises:
        DataError: shapes, types or values that are none of images or of their labels.
    """
    array, name = images
    pixels, notes = to_bytes(channels_last(array, name), name)
    squares, more = assemble(pixels, options)
    notes += more
    if labels is None:
        return ImageSet(squares, notes=tuple(notes), split=options.split)
    index, class_names = classes(labels[0], len(squares), labels[1])
    return ImageSet(squares, index, class_names, notes=tuple(notes), split=options.split)


def _read_npz(path: Path, options: LoadOptions, *, is_part: bool) -> ImageSet:
    with open_arrays(path) as arrays:
        found = _image_key(arrays, options, is_part)
        images = arrays.read(found.name, MAX_BYTES), f"{path}[{found.name}]"
        parts = [found.part] if found.part else SPLIT_NAMES[options.split]
        key = find_key(LABEL_KEYS, arrays.names, parts)
        labels = None
        if key is not None:
            labels = arrays.read(key.name, MAX_BYTES), f"{path}[{key.name}]"
    return replace(arrays_as_images(images, labels, options), name=path.name)


def _image_key(arrays: ArrayArchive, options: LoadOptions, is_part: bool) -> Key:
    found = find_key(IMAGE_KEYS, arrays.names, SPLIT_NAMES[options.split])
    if found is None:
        if find_key(IMAGE_KEYS, arrays.names, SPLIT_NAMES["train"]):
            options.only_split(str(arrays.path))
        accepted = ", ".join(k.format(options.split) for k in IMAGE_KEYS)
        raise DataError(
            f"{arrays.path}: no array is named like images ({accepted}); "
            f"it holds: {', '.join(arrays.names) or 'nothing'}."
        )
    if found.part is None and not is_part:
        options.only_split(str(arrays.path))
    return found


def channels_last(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Images as B x H x W (grey) or B x H x W x 3 (or 4), whichever way round the colours were.

    Raises:
        DataError: another shape.
    """
    if array.ndim == 4 and array.shape[3] not in (1, 3, 4) and array.shape[1] in (1, 3, 4):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    is_right = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (3, 4))
    if not is_right or 0 in array.shape[1:]:
        raise DataError(
            f"{name}: images have shape B x H x W, B x H x W x C or B x C x H x W with 1, 3 "
            f"or 4 colours, got {' x '.join(map(str, array.shape)) or 'a single number'}."
        )
    return array


def to_bytes(array: NDArray[Any], name: str) -> tuple[NDArray[np.uint8], list[str]]:
    """Numbers as bytes 0..255, and a note on how.

    Whole numbers are 0..255 or 0/1; floats are in [0, 1], [-1, 1] or [0, 255].

    Raises:
        DataError: another type or range, or values that are not finite.
    """
    if array.dtype.kind not in "buif":
        raise DataError(f"{name}: images are numbers, got values of type {array.dtype}.")
    if array.size == 0:
        return np.empty(array.shape, np.uint8), []
    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"{name}: some values are NaN or infinite; images need finite numbers.")
    is_float = array.dtype.kind == "f"
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        scale, shift, origin = 255.0, 0.0, "[0, 1]" if is_float else "0 and 1"
    elif is_float and low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        scale, shift, origin = 127.5, 127.5, "[-1, 1]"
    elif low >= 0 and high <= 255:
        if array.dtype == np.uint8:
            return array, []
        scale, shift, origin = 1.0, 0.0, f"0 to 255 as {array.dtype}"
    else:
        raise DataError(
            f"{name}: pixel values lie in 0..255, [0, 1] or [-1, 1], got {low:g} to {high:g}."
        )
    out = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), CHUNK):
        part = array[start : start + CHUNK].astype(np.float32) * scale + shift
        out[start : start + CHUNK] = part.round().clip(0, 255)
    return out, [Note(f"Values {origin} were mapped to bytes 0 to 255.", "pixels")]


def find_key(keys: Iterable[str], names: Iterable[str], parts: Iterable[str]) -> Key | None:
    """The first accepted name that is there, the names of a part before those without."""
    present, keys = set(names), list(keys)
    of_parts = [Key(key.format(part), part) for part in parts for key in keys if "{}" in key]
    candidates = [*of_parts, *(Key(key) for key in keys if "{}" not in key)]
    return next((key for key in candidates if key.name in present), None)
