"""Pictures of any shape made into squares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
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

# One picture: height x width (grey), height x width x 3 (RGB) or x 4 (RGBA), uint8.
Picture: TypeAlias = NDArray[np.uint8]

# How pictures that are not square are made so, in words.
HOW = {
    "crop": "after a centred square crop",
    "pad": "whole, their shorter sides padded with the median colour of their edge "
    "(transparent where pictures are)",
}


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


def pad_resize(image: Image.Image, size: int) -> Image.Image:
    """The whole of a picture, resized so that it fits, in the middle of a square.

    Beside it the square has the median colour of the picture's edge; where the picture has
    opacity, the square is transparent there.
    """
    if image.width == image.height:
        return crop_resize(image, size)
    scale = size / max(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    square = Image.new(image.mode, (size, size), _beside(image))
    place = ((size - shape[0]) // 2, (size - shape[1]) // 2)
    square.paste(image.resize(shape, Image.Resampling.BICUBIC), place)
    return square


def _beside(image: Image.Image) -> int | tuple[int, ...]:
    if image.mode == "RGBA":
        return (0, 0, 0, 0)
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    median = np.median(edge, axis=0).astype(int)
    return int(median) if median.ndim == 0 else tuple(median.tolist())


def squared(picture: Picture, size: int, fit: str) -> Picture:
    """A picture as a square of `size` pixels a side: its middle (`crop`), or all of it (`pad`)."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray((pad_resize if fit == "pad" else crop_resize)(image, size))


def is_grey(picture: Picture) -> bool:
    """Whether a picture has one colour channel, or three equal ones."""
    if picture.ndim == 2:
        return True
    first = picture[..., 0]
    return bool((first == picture[..., 1]).all() and (first == picture[..., 2]).all())


def resize_notes(shapes: set[tuple[int, int]], size: int, options: LoadOptions) -> list[str]:
    """What was done to pictures of these (height, width) shapes; nothing if they have that size."""
    if not shapes or shapes == {(size, size)}:
        return []
    if len(shapes) == 1:
        height, width = next(iter(shapes))
        origin = f"{height} x {width}"
    else:
        origin = f"{len(shapes)} different shapes"
    crop = f" {HOW[options.fit]}" if any(h != w for h, w in shapes) else ""
    least = min(min(shape) for shape in shapes)
    larger = (
        f"; --size, up to {LARGEST_SIZE}, keeps more"
        if options.size is None and least > size
        else ""
    )
    said = f"Images were resized from {origin} to {size} x {size}{crop}{larger}."
    return [Note(said, "sizes")]
