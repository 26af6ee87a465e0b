"""Sampled images as files: a grid, an archive of arrays, or a folder of pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from orthogan.errors import ConfigError, listed
from orthogan.files import storage_errors, write_file
from orthogan.images.encoding import SUFFIXES, encoded, picture_of
from orthogan.images.sheet import enlarge, sheet, sheet_size

# Of a grid, which is at most twice as wide as high: below the 16,383 pixels a side of WebP, and
# in RGB 0.3 GB.
MOST_PIXELS = 100_000_000


def write_grid(images: np.ndarray, target: Path, suffix: str, scale: int | None = None) -> None:
    """Writes one picture of all images; transparent ones lie over a checkerboard.

    Args:
        images: Bytes: image x row x column x colour.
        target: Where to.
        suffix: One of `orthogan.images.encoding.SUFFIXES`.
        scale: How often each pixel is repeated; None: until the grid is some 512 px wide.

    Raises:
        ConfigError: the picture would be too large.
        StorageError: the place cannot be written.
    """
    width, height = sheet_size(images, scale)
    if width * height > MOST_PIXELS:
        raise ConfigError(
            f"A grid has at most {MOST_PIXELS:,} pixels, this one would have {width:,} x "
            f"{height:,}; ask for fewer seeds, a smaller --scale, a folder or a .npz."
        )
    write_file(target, encoded(sheet(images, scale=scale), suffix))


def check_picture_name(target: Path) -> str:
    """The suffix of a picture that can be written.

    Raises:
        ConfigError: it is of another kind.
    """
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"{target}: a picture ends in {listed(SUFFIXES)}.")
    return suffix


def write_picture(picture: Image.Image, target: Path) -> None:
    """Writes one picture, such as a grid.

    Raises:
        ConfigError: its name is none of a picture.
        StorageError: the place cannot be written.
    """
    write_file(target, encoded(picture, check_picture_name(target)))


def write_arrays(images: np.ndarray, seeds: Sequence[int], target: Path) -> None:
    """Writes a `.npz` file with `images` and `seeds`.

    Raises:
        StorageError: the place cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images, seeds=np.array(seeds, dtype=np.int64))
    write_file(target, buffer.getvalue())


def write_pictures(
    images: np.ndarray, seeds: Sequence[int], folder: Path, suffix: str, scale: int = 1
) -> None:
    """Writes one picture an image into a folder, named by its seed.

    Args:
        images: Bytes: image x row x column x colour.
        seeds: One an image.
        folder: Where to.
        suffix: One of `orthogan.images.encoding.SUFFIXES`.
        scale: How often each pixel is repeated.

    Raises:
        ConfigError: the images are transparent, and the format is not.
        StorageError: the place cannot be written.
    """
    contents = (encoded(picture_of(enlarge(image, scale)), suffix) for image in images)
    for number, (seed, content) in enumerate(zip(seeds, contents, strict=True)):
        with storage_errors(folder):  # one picture is soon remade: no flush to disk for each
            if number == 0:
                folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{seed:06d}{suffix}").write_bytes(content)
