"""Generated images beside the training images that they come nearest to: copies show at once."""

from __future__ import annotations

import torch
from PIL import Image

from orthogan.evaluation.alignment import AlignedNeighbours
from orthogan.images.grid import grid
from orthogan.shapes import OtherPixels, Pixels, UnseenPixels

NUM_PAIRS = 32
PAIRS_A_ROW = 4


def neighbour_panel(fake: Pixels, train: OtherPixels) -> Image.Image:
    """A picture of `nearest_pairs`, four pairs a row."""
    return grid(nearest_pairs(fake, train), columns=2 * PAIRS_A_ROW)


def nearest_pairs(fake: Pixels, train: OtherPixels) -> UnseenPixels:
    """Generated images, each before its nearest training image.

    The first 16 pairs are those that look most like copies, the nearest first; 16 others follow.

    Args:
        fake: Generated images, of which the pairs are taken.
        train: The training set.
    """
    found = AlignedNeighbours(train).find(fake)
    order = found.relative.argsort()[: NUM_PAIRS // 2]
    is_chosen = torch.zeros(len(fake), dtype=torch.bool)
    is_chosen[order] = True
    others = (~is_chosen).nonzero()[: NUM_PAIRS // 2, 0]
    shown = torch.cat([order, others])
    return torch.stack([fake[shown], train[found.nearest[shown]]], 1).flatten(0, 1)
