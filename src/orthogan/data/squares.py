"""Pictures of any shape and colour made into one tensor of equal squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from orthogan.data.catalogue import (
    DEFAULT_SIZE,
    LARGEST_KEPT,
    LARGEST_SIZE,
    SIZE_STEP,
    SMALLEST_SIZE,
    LoadOptions,
)
from orthogan.data.facts import Note
from orthogan.shapes import Pixels

# One picture: height x width (grey) or height x width x 3 (RGB), uint8.
Picture: TypeAlias = NDArray[np.uint8]


def is_kept_size(height: int, width: int) -> bool:
    """Whether pictures of this shape are trained on with no more than a nudge in size."""
    return height == width and SMALLEST_SIZE <= height <= LARGEST_KEPT


def square_size(shapes: set[tuple[int, int]], size: int | None) -> int:
    """The common square size for pictures of these (height, width) shapes.

    The size asked for, else their own rounded up to a multiple of 4, else 32.

    >>> square_size({(28, 28)}, None), square_size({(30, 30)}, None)
    (28, 32)
    >>> square_size({(28, 28), (64, 64)}, None)
    32
    """
    if size is not None:
        return size
    if len(shapes) == 1:
        height, width = next(iter(shapes))
        if is_kept_size(height, width):
            return -(-height // SIZE_STEP) * SIZE_STEP
    return DEFAULT_SIZE


def crop_resize(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square of a picture, resized to `size` (bicubic, antialiased)."""
    if image.size == (size, size):
        return image
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def is_grey(picture: Picture) -> bool:
    """Whether a picture has one colour channel, or three equal ones."""
    if picture.ndim == 2:
        return True
    first = picture[..., 0]
    return bool((first == picture[..., 1]).all() and (first == picture[..., 2]).all())


def assemble(
    pictures: Sequence[Picture] | Picture,
    options: LoadOptions,
    shapes: set[tuple[int, int]] | None = None,
) -> tuple[Pixels, list[str]]:
    """One tensor of equal squares, and notes on what had to change.

    Args:
        pictures: The pictures, as a list or as one array with the pictures on its first axis.
        options: Size and colours asked for.
        shapes: Their (height, width) in the source, where they have been shrunk since.
    """
    if shapes is None:
        shapes = {(p.shape[0], p.shape[1]) for p in pictures}
    size = square_size(shapes, options.size)
    all_grey = all(is_grey(p) for p in pictures)
    colours = {"grey": 1, "rgb": 3, "auto": 1 if all_grey else 3}[options.colour]
    notes = _resize_notes(shapes, size, options.size is None)
    if colours == 1 and not all_grey:
        notes.append(Note("RGB images were turned to grey (Rec. 601 luminance).", "pixels"))
    out = np.empty((len(pictures), colours, size, size), np.uint8)
    for row, picture in zip(out, pictures, strict=True):
        row[:] = _square(picture, size, colours)
    return torch.from_numpy(out), notes


def _square(picture: Picture, size: int, colours: int) -> NDArray[Any]:
    if picture.shape[:2] != (size, size) or (colours == 1 and picture.ndim == 3):
        image = Image.fromarray(np.ascontiguousarray(picture))
        image = image.convert("L") if colours == 1 else image
        picture = np.asarray(crop_resize(image, size))
    return picture.transpose(2, 0, 1) if picture.ndim == 3 else picture[None]


def _resize_notes(shapes: set[tuple[int, int]], size: int, is_default: bool) -> list[str]:
    if not shapes or shapes == {(size, size)}:
        return []
    if len(shapes) == 1:
        height, width = next(iter(shapes))
        origin = f"{height} x {width}"
    else:
        origin = f"{len(shapes)} different shapes"
    crop = " after a centred square crop" if any(h != w for h, w in shapes) else ""
    least = min(min(shape) for shape in shapes)
    larger = f"; --size, up to {LARGEST_SIZE}, keeps more" if is_default and least > size else ""
    said = f"Images were resized from {origin} to {size} x {size}{crop}{larger}."
    return [Note(said, "sizes")]
