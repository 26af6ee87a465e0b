"""NumPy files of images: `.npz` and `.npy`, never unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterable
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from orthogan.data.catalogue import MAX_BYTES, READERS, Wanted
from orthogan.data.image_set import ImageSet
from orthogan.data.labels import classes
from orthogan.data.squares import assemble
from orthogan.errors import DataError

# Accepted names, the first one present wins; {} stands for the split.
IMAGE_KEYS = ("x_{}", "{}_images", "images", "x", "X", "data", "arr_0")
LABEL_KEYS = ("y_{}", "{}_labels", "labels", "y")
CHUNK = 4096  # images converted at a time, so that no second copy of the set exists in floats
ROUNDING = 1e-3  # how far outside of its range a float may stray by rounding


def read_npy(stream: BufferedIOBase, name: str) -> NDArray[Any]:
    """The array in an open `.npy` stream.

    Raises:
        DataError: no such format, an object array, too large, or truncated.
    """
    try:
        version = npy_format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format version {version} is for structured arrays")
        read = (
            npy_format.read_array_header_1_0
            if version == (1, 0)
            else (npy_format.read_array_header_2_0)
        )
        shape, is_fortran, dtype = read(stream)
        if any(axis < 0 for axis in shape):
            raise ValueError("a negative axis")
    except ValueError as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{name}: not a NumPy array, or a damaged one ({why}).") from None
    if dtype.hasobject:
        raise DataError(
            f"{name}: holds Python objects, which are never unpickled; save it as numbers."
        )
    promised = math.prod(shape) * dtype.itemsize
    if promised > MAX_BYTES:
        raise DataError(f"{name}: promises {promised:,} bytes; the limit is {MAX_BYTES:,}.")
    body = stream.read(promised)
    if len(body) < promised:
        raise DataError(
            f"{name}: truncated: the header promises {promised:,} bytes, the body has "
            f"{len(body):,}."
        )
    values = np.frombuffer(body, dtype)
    return values.reshape(shape[::-1]).T if is_fortran else values.reshape(shape)


@READERS.register("npy")
def load_npy(path: Path, wanted: Wanted) -> ImageSet:
    """The images of one `.npy` array, without labels."""
    wanted.only_split(str(path))
    with path.open("rb") as stream:
        array = read_npy(stream, str(path))
    pixels, notes = to_bytes(channels_last(array, str(path)), str(path))
    images, more = assemble(pixels, wanted)
    return ImageSet(images, name=path.name, notes=(*notes, *more))


@READERS.register("npz")
def load_npz(path: Path, wanted: Wanted) -> ImageSet:
    """The images of an `.npz` file, with its labels if it has some.

    Images are looked for under `x_train`, `train_images` (or `test`), `images`, `x`, `X`, `data`,
    `arr_0`; labels under `y_train`, `train_labels` (or `test`), `labels`, `y`.

    Raises:
        DataError: damaged, none of these names, or the test split of a file without one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            key = _find(IMAGE_KEYS, members, wanted.split)
            if key is None:
                if _find(IMAGE_KEYS, members, "train"):
                    wanted.only_split(str(path))
                accepted = ", ".join(k.format(wanted.split) for k in IMAGE_KEYS)
                raise DataError(
                    f"{path}: no array is named like images ({accepted}); "
                    f"it holds: {', '.join(sorted(members)) or 'nothing'}."
                )
            if wanted.split not in key:
                wanted.only_split(str(path))
            array = _read_member(archive, members[key], f"{path}[{key}]")
            label_key = _find(LABEL_KEYS, members, wanted.split)
            values = label_key and _read_member(archive, members[label_key], f"{path}[{label_key}]")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: not an .npz file, or a damaged one ({error}).") from None
    pixels, notes = to_bytes(channels_last(array, f"{path}[{key}]"), f"{path}[{key}]")
    images, more = assemble(pixels, wanted)
    notes += more
    if not isinstance(values, np.ndarray):
        return ImageSet(images, name=path.name, notes=tuple(notes), split=wanted.split)
    labels, names = classes(values, len(images), f"{path}[{label_key}]")
    return ImageSet(images, labels, names, path.name, tuple(notes), wanted.split)


def channels_last(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Images as B x H x W (grey) or B x H x W x 3, whichever way round the colours were.

    Raises:
        DataError: another shape.
    """
    if array.ndim == 4 and array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    is_right = array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)
    if not is_right or 0 in array.shape[1:]:
        raise DataError(
            f"{name}: images have shape B x H x W, B x H x W x C or B x C x H x W with 1 or 3 "
            f"colours, got {' x '.join(map(str, array.shape)) or 'a single number'}."
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
    return out, [f"Values {origin} were mapped to bytes 0 to 255."]


def _find(keys: Iterable[str], members: dict[str, zipfile.ZipInfo], split: str) -> str | None:
    names = [key.format(split) for key in keys]
    return next((name for name in names if name in members), None)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    with archive.open(member) as stream:
        return read_npy(cast("BufferedIOBase", stream), name)
