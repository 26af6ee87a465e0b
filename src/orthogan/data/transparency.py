"""Transparent pictures of a set: kept so, or laid over one ground."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

from orthogan.data.catalogue import LoadOptions
from orthogan.data.facts import Note
from orthogan.data.rendering import GREY, Traits, contrasts_of, remarks, rendering_of
from orthogan.data.squares import Picture
from orthogan.images.ground import laid_over

NUM_CHANNELS = 4
OPAQUE = 255


def settled(
    pictures: Sequence[Picture] | Picture, options: LoadOptions
) -> tuple[Sequence[Picture] | Picture, list[str]]:
    """The pictures, without transparency unless it was asked for, and what is to be said.

    Args:
        pictures: Any of them may have four channels, the last of which is opacity.
        options: With `colour` `rgba` everything stays as it is.
    """
    layered = [p for p in pictures if p.ndim == 3 and p.shape[2] == NUM_CHANNELS]
    transparent = [p for p in layered if p[..., 3].min() < OPAQUE]
    if options.colour == "rgba":
        return pictures, [Note(_kept(len(transparent), len(pictures)), "pixels")]
    if not layered:
        return pictures, []
    traits = [
        Traits(contrasts=contrasts_of(Image.fromarray(np.ascontiguousarray(p))))
        for p in transparent
    ]
    rendering = rendering_of(traits)
    ground = GREY if rendering.ground is None else rendering.ground
    said = Counter(remark for each in traits for remark in remarks(each, rendering))
    total = len(pictures)
    notes = [Note(f"{n} of {total} images: {remark}.", "pixels") for remark, n in said.items()]
    return [_over(picture, ground) for picture in pictures], list(notes)


def _kept(num_transparent: int, num_images: int) -> str:
    if num_transparent == 0:
        return (
            "No image is transparent, so the fourth channel says nothing; --colour rgb does "
            "without."
        )
    return (
        f"{num_transparent} of {num_images} images are transparent: opacity is their fourth "
        "channel, and colours that nothing shows of are black."
    )


def _over(picture: Picture, ground: int) -> Picture:
    if picture.ndim == 2 or picture.shape[2] < NUM_CHANNELS:
        return picture
    wide = picture.astype(np.int32)
    flat: Picture = laid_over(wide[..., :3], wide[..., 3:], ground).astype(np.uint8)
    return flat
