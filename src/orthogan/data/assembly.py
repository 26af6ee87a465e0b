"""Pictures of any shape and colour made into one tensor of equal squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from orthogan.data.catalogue import CHANNELS, LoadOptions
from orthogan.data.facts import Note
from orthogan.data.squares import Picture, is_grey, resize_notes, square_size, squared
from orthogan.data.transparency import settled
from orthogan.shapes import Pixels


def assemble(
    pictures: Sequence[Picture] | Picture,
    options: LoadOptions,
    shapes: set[tuple[int, int]] | None = None,
) -> tuple[Pixels, list[str]]:
    """One tensor of equal squares, and notes on what had to change.

    Args:
        pictures: The pictures, as a list or as one array with the pictures on its first axis.
        options: Size, colours and form asked for.
        shapes: Their (height, width) in the source, where they have been shrunk since.
    """
    if shapes is None:
        shapes = {(p.shape[0], p.shape[1]) for p in pictures}
    size = square_size(shapes, options.size)
    pictures, about_transparency = settled(pictures, options)
    all_grey = all(is_grey(p) for p in pictures)
    colours = (CHANNELS | {"auto": 1 if all_grey else 3})[options.colour]
    notes = resize_notes(shapes, size, options) + about_transparency
    if colours == 1 and not all_grey:
        notes.append(Note("RGB images were turned to grey (Rec. 601 luminance).", "pixels"))
    out = np.empty((len(pictures), colours, size, size), np.uint8)
    for row, picture in zip(out, pictures, strict=True):
        row[:] = _square(picture, size, colours, options.fit)
    return torch.from_numpy(out), notes


def _square(picture: Picture, size: int, colours: int, fit: str) -> NDArray[Any]:
    if colours == CHANNELS["rgba"]:
        layered = np.array(Image.fromarray(np.ascontiguousarray(picture)).convert("RGBA"))
        # Pillow weighs colours by their opacity here, so that nothing unseen bleeds in.
        layered = squared(layered, size, fit).copy()
        # A colour that nothing shows of is noise to whoever has to learn it.
        layered[layered[..., 3] == 0] = 0
        return layered.transpose(2, 0, 1)
    if colours == 1 and picture.ndim == 3:
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
    if picture.shape[:2] != (size, size):
        picture = squared(picture, size, fit)
    return picture.transpose(2, 0, 1) if picture.ndim == 3 else picture[None]
