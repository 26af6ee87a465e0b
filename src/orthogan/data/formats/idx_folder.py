"""A folder of IDX files, as MNIST and its relatives come: images, labels, and a test part."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from orthogan.data.catalogue import FORMATS, LoadOptions
from orthogan.data.file_parts import files_of_part, only_file
from orthogan.data.formats.idx import COMPRESSIONS, load_idx
from orthogan.data.image_set import ImageSet

_IMAGES = re.compile(r".*images[-.]idx3.*", re.IGNORECASE)


def has_images(files: Sequence[Path]) -> bool:
    """Whether one of the files is named like IDX images."""
    return bool(_images(files))


def write_example(path: Path) -> None:
    """Twenty noisy images with four classes, without a test part."""
    path.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 4
    for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
        (path / f"train-{name}-ubyte").write_bytes(head + array.tobytes())


@FORMATS.register(
    "idx-folder", is_folder=True, has_test_split=True, claims=has_images, example=write_example
)
def load_idx_folder(path: Path, options: LoadOptions) -> ImageSet:
    """The IDX images in a folder, with the labels beside them; `t10k-*` or `test-*` is held out.

    Raises:
        DataError: several files of images for the same part, or a damaged one.
    """
    files, notes = files_of_part(_images(list(path.iterdir())), path, options)
    images = load_idx(only_file(files, path, "IDX files of images"), options)
    return replace(images, name=path.name, notes=(*notes, *images.notes), split=options.split)


def _images(files: Sequence[Path]) -> list[Path]:
    """The files of images; of one file in several compressions, one."""
    found: dict[str, Path] = {}
    for suffix in COMPRESSIONS:
        for file in files:
            plain = file.name.removesuffix(suffix)
            fits = file.name.endswith(suffix) and (suffix or not _is_compressed(file))
            if fits and _IMAGES.fullmatch(plain) and file.is_file():
                found.setdefault(plain, file)
    return list(found.values())


def _is_compressed(file: Path) -> bool:
    return file.name.endswith(tuple(filter(None, COMPRESSIONS)))
