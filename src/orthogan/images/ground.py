"""Transparent images laid over a ground; no PyTorch here."""

from __future__ import annotations

from typing import Any

import numpy as np

SQUARE_PX = 4  # of the checkerboard, before enlarging
# White and black both stand out from either, and so does the grey of the gaps between images.
LIGHT, DARK = 192, 128


def laid_over(colour: Any, opacity: Any, ground: Any) -> Any:
    """Colours with this opacity over a ground, whole numbers 0..255, rounded to the nearest.

    Args:
        colour: Arrays or tensors of at least 32 bits.
        opacity: 0: the ground; 255: the colour.
        ground: Of a shape that fits.

    >>> laid_over(200, 255, 0), laid_over(200, 128, 0), laid_over(200, 0, 9)
    (200, 100, 9)
    """
    return (colour * opacity + ground * (255 - opacity) + 127) // 255


def over_checkerboard(images: np.ndarray) -> np.ndarray:
    """RGBA images B x H x W x 4 over squares of two greys, as RGB.

    >>> over_checkerboard(np.zeros((1, 16, 16, 4), np.uint8))[0, 0, ::4, 0].tolist()
    [192, 128, 192, 128]
    """
    _, height, width, _ = images.shape
    rows, columns = np.ogrid[:height, :width]
    light = (rows // SQUARE_PX + columns // SQUARE_PX) % 2 == 0
    board = np.where(light, LIGHT, DARK).astype(np.int32)[..., None]
    wide = images.astype(np.int32)
    flat: np.ndarray = laid_over(wide[..., :3], wide[..., 3:], board).astype(np.uint8)
    return flat
