"""A data set that is drawn when it is read: stripes in four directions."""

from __future__ import annotations

import numpy as np
import torch

from orthogan.data import ImageSet
from orthogan.data.assembly import assemble
from orthogan.data.catalogue import DATA_SETS, LoadOptions
from orthogan.rng import stream

SIDE_PX = 16
NUM_IMAGES = {"train": 800, "test": 200}
DIRECTIONS = ("level", "falling", "upright", "rising")


@DATA_SETS.register("stripes")
def load_stripes(options: LoadOptions) -> ImageSet:
    """Stripes of 16 x 16 pixels in four directions, of any width and place."""
    count = NUM_IMAGES[options.split]
    draws = stream(0, f"stripes-{options.split}")
    labels = np.arange(count) % len(DIRECTIONS)
    angles = labels * np.pi / len(DIRECTIONS) + draws.normal(0, 0.1, count)
    waves, starts = draws.uniform(0.6, 1.2, count), draws.uniform(0, 2 * np.pi, count)
    rows, cols = np.mgrid[:SIDE_PX, :SIDE_PX]
    along = np.cos(angles)[:, None, None] * rows + np.sin(angles)[:, None, None] * cols
    pictures = np.sin(waves[:, None, None] * along + starts[:, None, None])
    images, notes = assemble((127.5 * (1 + pictures)).astype(np.uint8), options)
    return ImageSet(
        images, torch.from_numpy(labels), DIRECTIONS, "stripes", tuple(notes), options.split
    )
