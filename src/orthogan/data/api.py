"""`load_data`: images from anywhere as one set, for Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orthogan.data.catalogue import Colour, Fit
from orthogan.data.image_set import ImageSet
from orthogan.data.in_memory import ImageSource, keep
from orthogan.data.sources import load
from orthogan.errors import ConfigError


def load_data(
    source: ImageSource,
    labels: Any = None,
    *,
    class_names: Sequence[str] = (),
    size: int | None = None,
    colour: Colour = "auto",
    split: str = "train",
    fit: Fit = "crop",
) -> ImageSet:
    """The images of a source, as equal squares in memory; `train` and `evaluate` take them.

    Args:
        source: What `train` takes: a name, a path, or images in memory: an array or tensor
            (`B H W`, `B H W C` or `B C H W`; bytes, or floats in [0, 1] or [-1, 1]), or a
            `torch.utils.data.Dataset` or sequence of images or of (image, label) pairs, each
            image an array or tensor (bytes, or floats in [0, 1]) or a picture of Pillow.
        labels: The class of each image of an array or tensor, as numbers or texts.
        class_names: What classes that are numbers are called, from 0 on; a data set may have them
            as its `classes`.
        size: Side of the squares, px; by default the images' own if they share one, else 32.
        colour: "grey", "rgb", "rgba" (transparency is kept as a fourth channel), or "auto": grey
            if every image is, and transparent ones lie over a ground that the notes name.
        split: "train" or "test".
        fit: What makes pictures square: "crop", to their middle, or "pad", which adds to the
            shorter sides.

    Raises:
        ConfigError: an argument is impossible, or has no effect with the others.
        DataError: the source is missing or damaged, is no images, or has fewer than 16.

    >>> import numpy as np
    >>> shades = np.linspace(0, 1, 16 * 24 * 24).reshape(16, 24, 24)
    >>> images = load_data(shades, [0, 1] * 8, class_names=["left", "right"])
    >>> images.images.shape, images.class_names
    (torch.Size([16, 1, 24, 24]), ('left', 'right'))
    """
    if isinstance(source, str | Path):
        if labels is not None or class_names:
            raise ConfigError(
                "labels= and class_names= go with images in memory; a file or folder has its own."
            )
        return load(source, size=size, colour=colour, split=split, fit=fit)
    return load(keep(source, labels, class_names), size=size, colour=colour, split=split, fit=fit)
