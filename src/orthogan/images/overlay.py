"""Weights of patches, drawn over the image that they belong to; no PyTorch here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WARM = (255, 96, 0)  # positive weights; scores without softmax have negative ones too
COLD = (0, 112, 255)
TINT = 0.6  # share of the colour where a weight is strongest: the strokes below still show
DIMMED = 0.7  # brightness of the image where there is no weight: colour stands out
FRAME = ((0, 0, 0), (255, 255, 255))  # outer and inner line: one of them stands out anywhere


def overlay(image: NDArray[np.uint8], weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """An RGB image, its own colours taken out, with a map of signed weights drawn over it.

    Args:
        image: Row x column x 3.
        weights: Any grid; each of its cells covers an equal share of the image.

    >>> overlay(np.zeros((1, 2, 3), np.uint8), np.array([[1.0, 0.0]])).tolist()
    [[[153, 58, 0], [0, 0, 0]]]
    """
    height, width = image.shape[:2]
    rows = ((np.arange(height) + 0.5) * weights.shape[0] / height).astype(int)
    cols = ((np.arange(width) + 0.5) * weights.shape[1] / width).astype(int)
    strength = (weights / max(float(np.abs(weights).max()), 1e-12))[rows][:, cols, None]
    share = np.abs(strength)
    colour = np.where(strength > 0, np.array(WARM), np.array(COLD))
    grey = image.mean(axis=2, keepdims=True)
    tinted = TINT * colour + (1 - TINT) * grey
    mixed = (1 - share) * DIMMED * grey + share * tinted
    shown: NDArray[np.uint8] = mixed.clip(0, 255).round().astype(np.uint8)
    return shown


def framed(
    image: NDArray[np.uint8], grid: tuple[int, int], cell: tuple[int, int]
) -> NDArray[np.uint8]:
    """A copy of an RGB image with a white frame inside a black one round one cell of a grid.

    Args:
        image: Row x column x 3; each cell covers an equal share of it.
        grid: Rows and columns.
        cell: Row and column, counted from 0.

    >>> framed(np.full((6, 6, 3), 9, np.uint8), (1, 1), (0, 0))[2, :, 0].tolist()
    [0, 255, 9, 9, 255, 0]
    """
    height, width = image.shape[:2]
    top, bottom = (round(height * (cell[0] + end) / grid[0]) for end in (0, 1))
    left, right = (round(width * (cell[1] + end) / grid[1]) for end in (0, 1))
    marked = image.copy()
    for inset, colour in enumerate(FRAME):
        part = marked[top + inset : bottom - inset, left + inset : right - inset]
        part[0], part[-1], part[:, 0], part[:, -1] = colour, colour, colour, colour
    return marked
